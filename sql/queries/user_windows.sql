-- name: find_window_end(project_id, by, descending, cursor, moment, word, skipped) -> SortKey?
-- The user so many behind a cursor in an order that has an index; no row where the list ends before.
select k.moment, k.word, u.id
from users u cross join lateral (
    select case :by::text when 'created_at' then u.created_at else 'epoch'::timestamptz end as moment,
        case :by when 'name' then u.name when 'email' then coalesce(u.email, '') else '' end as word
) k
where u.project_id = :project_id
    and (:cursor::text is null or case when :descending::boolean
        then (k.moment, k.word, u.id) < (:moment::timestamptz, :word::text, :cursor)
        else (k.moment, k.word, u.id) > (:moment, :word, :cursor) end)
    and (:cursor is null or case when :descending then k.moment <= :moment else k.moment >= :moment end)
    and (:cursor is null or case when :descending then k.word <= :word else k.word >= :word end)
    and (:cursor is null or :by <> 'id' or case when :descending then u.id <= :cursor else u.id >= :cursor end)
order by
    case when not :descending then k.moment end, case when :descending then k.moment end desc,
    case when not :descending then k.word end, case when :descending then k.word end desc,
    case when not :descending then u.id end, case when :descending then u.id end desc
limit 1 offset :skipped;
