-- name: make_user(project_id, ids, email, email_verified, name, password_hash) -> User?
-- Under the first of the ids that is free. Nothing if none is, or if the address is taken, or reserved and not proved.
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at
from make_user(:project_id, :ids, :email, :email_verified, :name, :password_hash);

-- name: ensure_user(project_id, ids, email) -> Ensured
-- Whoever has the address that has just been proved, locked; made now if it is nobody's.
select (e.account).project_id, (e.account).id, (e.account).email, (e.account).email_version,
    (e.account).email_verified, (e.account).name, (e.account).password_hash, (e.account).password_updated_at,
    (e.account).status, (e.account).labels, (e.account).prefs, (e.account).created_at, (e.account).updated_at,
    (e.account).accessed_at, (e.account).proved_by_holder, e.created
from ensure_user(:project_id, :ids, :email) e;

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

-- name: claim_user(project_id, id, email) -> User?
-- The same for an act that may give the user this address. Locks come after all that a statement reads, so that the
-- address is locked before the row.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at
from claim_address(:project_id, :email, :id), users u
where u.project_id = :project_id and u.id = :id for update of u;

-- name: lock_member(project_id, id, session_id) -> Member?
-- A member's own act begins with the user's row too, and with the session's: one that ends meanwhile acts no more.
-- The user is locked first, as by all that ends sessions.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at,
    s.id as session_id
from users u join sessions s on s.project_id = u.project_id and s.user_id = u.id
where u.project_id = :project_id and u.id = :id and s.id = :session_id and s.expires_at > now()
for update of u for key share of s;

-- name: claim_member(project_id, id, session_id, email) -> Member?
-- Both.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at,
    s.id as session_id
from claim_address(:project_id, :email, :id),
    users u join sessions s on s.project_id = u.project_id and s.user_id = u.id
where u.project_id = :project_id and u.id = :id and s.id = :session_id and s.expires_at > now()
for update of u for key share of s;

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
    email_verified = coalesce(:email_verified, email_verified),
    proved_by_holder = coalesce(:email_verified, proved_by_holder)
where project_id = :project_id and id = :id;

-- name: rehash_password(project_id, id, earlier_hash, password_hash)
-- The same password under today's parameters; nothing if it was changed meanwhile.
update users set password_hash = :password_hash
where project_id = :project_id and id = :id and password_hash = :earlier_hash;

-- name: keep_password(project_id, user_id, password_hash, kept)
-- An earlier password, so that it is not chosen again; of all only as many as the project asks for, today's counted.
with gone as (
    delete from password_history h
    where h.project_id = :project_id and h.user_id = :user_id and h.id not in (
        select id from password_history where project_id = :project_id and user_id = :user_id
        order by id desc limit greatest(:kept::int - 2, 0)
    )
)
insert into password_history (project_id, user_id, password_hash)
select :project_id, :user_id, :password_hash where :kept > 1 and :password_hash::text is not null;

-- name: list_earlier_passwords(project_id, user_id, most) -> PreviousPassword*
select password_hash from password_history where project_id = :project_id and user_id = :user_id
order by id desc limit :most;

-- name: verify_email(project_id, id, by_holder)
-- Who has proved it once as the holder stays that.
update users set email_verified = true, updated_at = now(),
    proved_by_holder = :by_holder or (email_verified and proved_by_holder)
where project_id = :project_id and id = :id;

-- name: touch_user(project_id, id)
update users set accessed_at = now() where project_id = :project_id and id = :id;

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
-- Nothing for an address that somebody else has or may still take back: it is locked, so that this holds.
update users set email = :email, email_version = email_version + 1, email_verified = false, updated_at = now(),
    password_hash = coalesce(:password_hash, password_hash),
    password_updated_at = case when :password_hash::text is null then password_updated_at else now() end
where project_id = :project_id and id = :id and not is_reserved(:project_id, :email, :id)
    and not exists (select from users where project_id = :project_id and email = :email and id <> :id)
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: secure_user(project_id, id, email) -> User?
-- Somebody else may know the password; its date tells a login that is on its way. The address is the one that the link
-- was mailed to, and so it is proved. Where another account has it by now, this one has none: whoever is to be kept
-- out reads what is mailed to the address that it has. It is locked, so that nobody gets it meanwhile.
update users u set password_hash = null, password_updated_at = now(), updated_at = now(),
    email = case when not k.taken then :email end, email_version = u.email_version + (k.moved)::int,
    email_verified = case when k.moved then not k.taken else u.email_verified end,
    proved_by_holder = true
from (
    select exists (select from users where project_id = :project_id and email = :email and id <> :id) as taken,
        (select email from users where project_id = :project_id and id = :id) is distinct from :email as moved
) k
where u.project_id = :project_id and u.id = :id
returning u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at;

-- name: void_password(project_id, id)
-- Somebody else may know it. Its date tells a login that is on its way.
update users set password_hash = null, password_updated_at = now(), updated_at = now()
where project_id = :project_id and id = :id;

-- name: change_status(project_id, id, status) -> User?
update users set status = :status, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: close_user(project_id, id) -> User?
-- Blocked for good by who has its session. A proof that came from somebody else goes with it: whoever reads the mailbox
-- may have opened a link that a stranger had asked for, and must not lose the address to that stranger.
update users set status = 'blocked', email_verified = email_verified and proved_by_holder, updated_at = now()
where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at;

-- name: is_proved_by_holder(project_id, id)
select email_verified and proved_by_holder from users where project_id = :project_id and id = :id;

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

-- name: list_users(project_id, search, search_email, ids, emails, names, statuses, labels, verified, name_part, email_part, created_from, created_until, by, descending, cursor, moment, word, limit, offset) -> User*
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
        or strpos(u.email, :search_email) > 0 or strpos(lower(u.name), lower(:search)) > 0)
    and (:ids::text[] is null or u.id = any(:ids))
    and (:emails::text[] is null or u.email = any(:emails))
    and (:names::text[] is null or u.name = any(:names))
    and (:statuses::text[] is null or u.status = any(:statuses))
    and (:labels::text[] is null or u.labels && :labels)
    and (:verified::boolean is null or u.email_verified = :verified)
    and (:name_part::text is null or strpos(lower(u.name), lower(:name_part)) > 0)
    and (:email_part::text is null or strpos(u.email, :email_part) > 0)
    and (:created_from::timestamptz is null or u.created_at >= :created_from)
    and (:created_until::timestamptz is null or u.created_at < :created_until)
    and (:cursor::text is null or case when :descending::boolean
        then (k.moment, k.word, u.id) < (:moment::timestamptz, :word::text, :cursor)
        else (k.moment, k.word, u.id) > (:moment, :word, :cursor) end)
order by
    case when not :descending then k.moment end, case when :descending then k.moment end desc,
    case when not :descending then k.word end, case when :descending then k.word end desc,
    case when not :descending then u.id end, case when :descending then u.id end desc
limit :limit offset :offset;

-- name: count_users(project_id, search, search_email, ids, emails, names, statuses, labels, verified, name_part, email_part, created_from, created_until, most)
-- Never more than `most`: nobody waits for a million rows to be counted.
select count(*) from (
    select 1 from users u
    where u.project_id = :project_id
        and (:search::text is null or strpos(lower(u.id), lower(:search)) > 0
            or strpos(u.email, :search_email) > 0 or strpos(lower(u.name), lower(:search)) > 0)
        and (:ids::text[] is null or u.id = any(:ids))
        and (:emails::text[] is null or u.email = any(:emails))
        and (:names::text[] is null or u.name = any(:names))
        and (:statuses::text[] is null or u.status = any(:statuses))
        and (:labels::text[] is null or u.labels && :labels)
        and (:verified::boolean is null or u.email_verified = :verified)
        and (:name_part::text is null or strpos(lower(u.name), lower(:name_part)) > 0)
        and (:email_part::text is null or strpos(u.email, :email_part) > 0)
        and (:created_from::timestamptz is null or u.created_at >= :created_from)
        and (:created_until::timestamptz is null or u.created_at < :created_until)
    limit :most
) counted;
