-- name: create_user(project_id, id, email, name, password_hash) -> User
insert into users (project_id, id, email, name, password_hash, password_updated_at)
values (:project_id, :id, :email, :name, :password_hash, case when :password_hash::text is not null then now() end)
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: find_user(project_id, id) -> User?
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at
from users where project_id = :project_id and id = :id;

-- name: find_user_by_email(project_id, email) -> User?
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at
from users where project_id = :project_id and email = :email;

-- name: lock_user(project_id, id) -> User?
-- Every act on a user begins with this row, so that acts on one user never cross.
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at
from users where project_id = :project_id and id = :id for update;

-- name: find_member_by_secret(project_id, user_id, secret_hash) -> Member?
-- The one query of an authenticated request.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at,
    s.id as session_id
from sessions s join users u on u.project_id = s.project_id and u.id = s.user_id
where s.project_id = :project_id and s.user_id = :user_id and s.secret_hash = :secret_hash and s.expires_at > now();

-- name: find_member_by_session(project_id, user_id, session_id) -> Member?
-- The same for a JWT, which names its session.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at,
    s.id as session_id
from sessions s join users u on u.project_id = s.project_id and u.id = s.user_id
where s.project_id = :project_id and s.user_id = :user_id and s.id = :session_id and s.expires_at > now();

-- name: change_password(project_id, id, password_hash, email_verified)
-- A recovery also proves the address, a change of password leaves that as it is (email_verified null).
update users set password_hash = :password_hash, password_updated_at = now(), updated_at = now(),
    email_verified = coalesce(:email_verified, email_verified)
where project_id = :project_id and id = :id;

-- name: rehash_password(project_id, id, earlier_hash, password_hash)
-- The same password under today's parameters; nothing if it was changed meanwhile.
update users set password_hash = :password_hash
where project_id = :project_id and id = :id and password_hash = :earlier_hash;

-- name: verify_email(project_id, id)
update users set email_verified = true, updated_at = now() where project_id = :project_id and id = :id;

-- name: touch_user(project_id, id)
update users set accessed_at = now() where project_id = :project_id and id = :id;

-- name: ensure_user(project_id, id, email)
-- For an address that has just been proved; nothing if it, or the id, is taken.
insert into users (project_id, id, email, email_verified) values (:project_id, :id, :email, true) on conflict do nothing;

-- name: lock_user_by_email(project_id, email) -> User?
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at
from users where project_id = :project_id and email = :email for update;

-- name: change_name(project_id, id, name) -> User?
update users set name = :name, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: change_prefs(project_id, id, prefs) -> User?
update users set prefs = :prefs, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: change_email(project_id, id, email, password_hash) -> User?
-- Every token made for the earlier address is void by its version. A first password comes with the first address.
update users set email = :email, email_version = email_version + 1, email_verified = false, updated_at = now(),
    password_hash = coalesce(:password_hash, password_hash),
    password_updated_at = case when :password_hash::text is null then password_updated_at else now() end
where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: change_status(project_id, id, status) -> User?
update users set status = :status, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: set_email_verified(project_id, id, email_verified) -> User?
-- An operator's word for it, either way.
update users set email_verified = :email_verified, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: change_labels(project_id, id, labels) -> User?
update users set labels = :labels, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: delete_user(project_id, id)
-- The user's sessions and tokens go with it.
delete from users where project_id = :project_id and id = :id;

-- name: list_users(project_id, search, ids, emails, names, statuses, labels, verified, name_part, email_part, since, until, by, down, cursor, moment, word, most, skipped) -> User*
-- Null narrows nothing. Words are looked for with strpos, which knows no wildcard. What is ordered by stands in
-- `by`: for one value of it all but one of the cases are constants, so that the plan is as short as the name of a
-- column would make it. The cursor is a user; `moment` and `word` are what that user is ordered by.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at
from users u cross join lateral (
    select
        case :by::text when 'created_at' then u.created_at when 'updated_at' then u.updated_at
            when 'accessed_at' then u.accessed_at
            when 'password_updated_at' then coalesce(u.password_updated_at, 'epoch'::timestamptz)
            else 'epoch'::timestamptz end as moment,
        case :by when 'name' then u.name when 'email' then coalesce(u.email, '') when 'status' then u.status
            when 'email_verified' then u.email_verified::text else '' end as word
) k
where u.project_id = :project_id
    and (:search::text is null or strpos(lower(u.id), lower(:search)) > 0
        or strpos(lower(u.email), lower(:search)) > 0 or strpos(lower(u.name), lower(:search)) > 0)
    and (:ids::text[] is null or u.id = any(:ids))
    and (:emails::text[] is null or u.email = any(:emails))
    and (:names::text[] is null or u.name = any(:names))
    and (:statuses::text[] is null or u.status = any(:statuses))
    and (:labels::text[] is null or u.labels && :labels)
    and (:verified::boolean is null or u.email_verified = :verified)
    and (:name_part::text is null or strpos(lower(u.name), lower(:name_part)) > 0)
    and (:email_part::text is null or strpos(lower(u.email), lower(:email_part)) > 0)
    and (:since::timestamptz is null or u.created_at >= :since)
    and (:until::timestamptz is null or u.created_at < :until)
    and (:cursor::text is null or case when :down::boolean
        then (k.moment, k.word, u.id) < (:moment::timestamptz, :word::text, :cursor)
        else (k.moment, k.word, u.id) > (:moment, :word, :cursor) end)
order by
    case when not :down then k.moment end, case when :down then k.moment end desc,
    case when not :down then k.word end, case when :down then k.word end desc,
    case when not :down then u.id end, case when :down then u.id end desc
limit :most offset :skipped;

-- name: count_users(project_id, search, ids, emails, names, statuses, labels, verified, name_part, email_part, since, until, most)
-- Never more than `most`: nobody waits for a million rows to be counted.
select count(*) from (
    select 1 from users u
    where u.project_id = :project_id
        and (:search::text is null or strpos(lower(u.id), lower(:search)) > 0
            or strpos(lower(u.email), lower(:search)) > 0 or strpos(lower(u.name), lower(:search)) > 0)
        and (:ids::text[] is null or u.id = any(:ids))
        and (:emails::text[] is null or u.email = any(:emails))
        and (:names::text[] is null or u.name = any(:names))
        and (:statuses::text[] is null or u.status = any(:statuses))
        and (:labels::text[] is null or u.labels && :labels)
        and (:verified::boolean is null or u.email_verified = :verified)
        and (:name_part::text is null or strpos(lower(u.name), lower(:name_part)) > 0)
        and (:email_part::text is null or strpos(lower(u.email), lower(:email_part)) > 0)
        and (:since::timestamptz is null or u.created_at >= :since)
        and (:until::timestamptz is null or u.created_at < :until)
    limit :most
) counted;
