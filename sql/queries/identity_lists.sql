-- name: list_identities(project_id, user_id, search, ids, users, providers, subjects, emails, created_from, created_until, expires_from, expires_until, descending, cursor, moment, limit, offset) -> Identity*
-- Null filters nothing; without a user those of the whole project. Words are searched with strpos: no wildcards. The
-- cursor is an identity, `moment` its time.
select project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, access_until,
    created_at, updated_at
from identities
where project_id = :project_id and removed_at is null
    and (:user_id::text is null or user_id = :user_id)
    and (:search::text is null or strpos(lower(id), lower(:search)) > 0 or strpos(lower(user_id), lower(:search)) > 0
        or strpos(lower(provider), lower(:search)) > 0 or strpos(lower(subject), lower(:search)) > 0
        or strpos(email, lower(:search)) > 0)
    and (:ids::text[] is null or id = any(:ids))
    and (:users::text[] is null or user_id = any(:users))
    and (:providers::text[] is null or provider = any(:providers))
    and (:subjects::text[] is null or subject = any(:subjects))
    and (:emails::text[] is null or email = any(:emails))
    and (:created_from::timestamptz is null or created_at >= :created_from)
    and (:created_until::timestamptz is null or created_at < :created_until)
    and (:expires_from::timestamptz is null or access_until >= :expires_from)
    and (:expires_until::timestamptz is null or access_until < :expires_until)
    and (:cursor::text is null or case when :descending::boolean
        then (created_at, id) < (:moment::timestamptz, :cursor) else (created_at, id) > (:moment, :cursor) end)
order by
    case when not :descending then created_at end, case when :descending then created_at end desc,
    case when not :descending then id end, case when :descending then id end desc
limit :limit offset :offset;

-- name: count_listed_identities(project_id, user_id, search, ids, users, providers, subjects, emails, created_from, created_until, expires_from, expires_until, most)
-- At most `most`: counting a million rows would take too long.
select count(*) from (
    select 1 from identities
    where project_id = :project_id and removed_at is null
        and (:user_id::text is null or user_id = :user_id)
        and (:search::text is null or strpos(lower(id), lower(:search)) > 0
            or strpos(lower(user_id), lower(:search)) > 0 or strpos(lower(provider), lower(:search)) > 0
            or strpos(lower(subject), lower(:search)) > 0 or strpos(email, lower(:search)) > 0)
        and (:ids::text[] is null or id = any(:ids))
        and (:users::text[] is null or user_id = any(:users))
        and (:providers::text[] is null or provider = any(:providers))
        and (:subjects::text[] is null or subject = any(:subjects))
        and (:emails::text[] is null or email = any(:emails))
        and (:created_from::timestamptz is null or created_at >= :created_from)
        and (:created_until::timestamptz is null or created_at < :created_until)
        and (:expires_from::timestamptz is null or access_until >= :expires_from)
        and (:expires_until::timestamptz is null or access_until < :expires_until)
    limit :most
) counted;
