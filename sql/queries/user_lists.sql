-- name: list_users(project_id, search, search_email, ids, emails, names, statuses, labels, verified, name_part, email_part, phones, phone_verified, phone_part, created_from, created_until, by, descending, cursor, moment, word, until, until_moment, until_word, sorted, limit, offset) -> User*
-- Null filters nothing. Words are searched with strpos, which has no wildcards. The order is `by`: for one value of it
-- all but one of the cases are constants, so that the plan is as short as with the name of a column. The cursor is a
-- user; `moment` and `word` are that user's sort keys, which bound the rows a second time: no index bounds three columns
-- of which one or two are constants. `until` is the last user of a window, likewise. `sorted` keeps the planner from an
-- index in that order: it would hope to meet the page soon, where all who match are few and may be the last. Rows and
-- targets are looked up for the page alone, not for what the offset skips.
select p.project_id, p.id, p.email, p.email_version, p.email_verified, p.name, p.password_hash,
    p.password_updated_at, p.status, p.labels, p.prefs, p.created_at, p.updated_at, p.accessed_at, p.mfa,
    p.phone, p.phone_version, p.phone_verified_at is not null as phone_verified,
    case when p.has_targets then null else '[]' end as targets
from (
    select u.project_id, u.id, k.moment, k.word
    from users u cross join lateral (
        select
            case :by::text when 'created_at' then u.created_at when 'updated_at' then u.updated_at
                when 'accessed_at' then u.accessed_at
                when 'password_updated_at' then coalesce(u.password_updated_at, 'epoch'::timestamptz)
                else 'epoch'::timestamptz end as moment,
            case :by when 'name' then u.name when 'email' then coalesce(u.email, '') when 'status' then u.status
                when 'phone' then coalesce(u.phone, '') when 'email_verified' then u.email_verified::text
                when 'phone_verified' then (u.phone_verified_at is not null)::text else '' end as word
    ) k
    where u.project_id = :project_id
        and (:search::text is null or strpos(lower(u.id), lower(:search)) > 0
            or strpos(u.email, :search_email) > 0 or strpos(u.phone, :search) > 0
            or strpos(lower(u.name), lower(:search)) > 0)
        and (:ids::text[] is null or u.id = any(:ids))
        and (:emails::text[] is null or u.email = any(:emails))
        and (:names::text[] is null or u.name = any(:names))
        and (:statuses::text[] is null or u.status = any(:statuses))
        and (:labels::text[] is null or (u.labels && :labels and u.labels <> '{}'))
        and (:verified::boolean is null or u.email_verified = :verified)
        and (:name_part::text is null or strpos(lower(u.name), lower(:name_part)) > 0)
        and (:email_part::text is null or strpos(u.email, :email_part) > 0)
        and (:phones::text[] is null or u.phone = any(:phones))
        and (:phone_verified::boolean is null or (u.phone_verified_at is not null) = :phone_verified)
        and (:phone_part::text is null or strpos(u.phone, :phone_part) > 0)
        and (:created_from::timestamptz is null or u.created_at >= :created_from)
        and (:created_until::timestamptz is null or u.created_at < :created_until)
        and (:cursor::text is null or case when :descending::boolean
            then (k.moment, k.word, u.id) < (:moment::timestamptz, :word::text, :cursor)
            else (k.moment, k.word, u.id) > (:moment, :word, :cursor) end)
        and (:cursor is null or case when :descending then k.moment <= :moment else k.moment >= :moment end)
        and (:cursor is null or case when :descending then k.word <= :word else k.word >= :word end)
        and (:cursor is null or :by <> 'id' or case when :descending then u.id <= :cursor else u.id >= :cursor end)
        and (:until::text is null or case when :descending
            then (k.moment, k.word, u.id) >= (:until_moment::timestamptz, :until_word::text, :until)
            else (k.moment, k.word, u.id) <= (:until_moment, :until_word, :until) end)
        and (:until is null or case when :descending then k.moment >= :until_moment else k.moment <= :until_moment end)
        and (:until is null or case when :descending then k.word >= :until_word else k.word <= :until_word end)
        and (:until is null or :by <> 'id' or case when :descending then u.id >= :until else u.id <= :until end)
    order by
        case when :sorted::boolean then u.project_id || '' end,
        case when not :descending then k.moment end, case when :descending then k.moment end desc,
        case when not :descending then k.word end, case when :descending then k.word end desc,
        case when not :descending then u.id end, case when :descending then u.id end desc
    limit :limit offset :offset
) k join users p on p.project_id = k.project_id and p.id = k.id
order by
    case when not :descending then k.moment end, case when :descending then k.moment end desc,
    case when not :descending then k.word end, case when :descending then k.word end desc,
    case when not :descending then p.id end, case when :descending then p.id end desc;

-- name: count_users(project_id, search, search_email, ids, emails, names, statuses, labels, verified, name_part, email_part, phones, phone_verified, phone_part, created_from, created_until, most)
-- At most `most`: counting a million rows would take too long.
select count(*) from (
    select 1 from users u
    where u.project_id = :project_id
        and (:search::text is null or strpos(lower(u.id), lower(:search)) > 0
            or strpos(u.email, :search_email) > 0 or strpos(u.phone, :search) > 0
            or strpos(lower(u.name), lower(:search)) > 0)
        and (:ids::text[] is null or u.id = any(:ids))
        and (:emails::text[] is null or u.email = any(:emails))
        and (:names::text[] is null or u.name = any(:names))
        and (:statuses::text[] is null or u.status = any(:statuses))
        and (:labels::text[] is null or (u.labels && :labels and u.labels <> '{}'))
        and (:verified::boolean is null or u.email_verified = :verified)
        and (:name_part::text is null or strpos(lower(u.name), lower(:name_part)) > 0)
        and (:email_part::text is null or strpos(u.email, :email_part) > 0)
        and (:phones::text[] is null or u.phone = any(:phones))
        and (:phone_verified::boolean is null or (u.phone_verified_at is not null) = :phone_verified)
        and (:phone_part::text is null or strpos(u.phone, :phone_part) > 0)
        and (:created_from::timestamptz is null or u.created_at >= :created_from)
        and (:created_until::timestamptz is null or u.created_at < :created_until)
    limit :most
) counted;
