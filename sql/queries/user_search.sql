-- name: get_extent(project_id, most, sampled) -> Extent?
-- Whether a project has more users than can be looked through, which indexes of their texts there are, and the percent
-- of all texts that `sampled` are: all of them in a table that was never analysed.
select (select count(*) > :most::int from (select from users where project_id = :project_id limit :most + 1) u) as large,
    exists (select from pg_index where indexrelid = to_regclass('user_texts_trigrams') and indisvalid) as trigrams,
    not exists (
        select from unnest(array['email', 'phone', 'name', 'id']) text
        where not exists (
            select from pg_index where indexrelid = to_regclass('user_texts_' || text || '_prefix') and indisvalid
        )
    ) as prefixes,
    (select least(100, 100 * :sampled::float8 / greatest(reltuples, 1)) from pg_class where oid = 'user_texts'::regclass)
        as share;
