-- name: create_user(project_id, ids, email, email_verified, name, password_hash) -> User?
-- Under the first free id. No row if none is, or if the address is taken, or reserved and not verified.
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets
from make_user(:project_id, :ids, :email, :email_verified, :name, :password_hash);

-- name: ensure_user(project_id, ids, email) -> Ensured
-- The user of an address that was just verified, locked; created if there is none.
select (e.account).project_id, (e.account).id, (e.account).email, (e.account).email_version,
    (e.account).email_verified, (e.account).name, (e.account).password_hash, (e.account).password_updated_at,
    (e.account).status, (e.account).labels, (e.account).prefs, (e.account).created_at, (e.account).updated_at,
    (e.account).accessed_at, (e.account).mfa,
    (e.account).phone, (e.account).phone_version, (e.account).phone_verified_at is not null as phone_verified,
    case when (e.account).has_targets then null else '[]' end as targets, (e.account).proved_by_holder, e.created
from ensure_user(:project_id, :ids, :email) e;

-- name: find_user(project_id, id) -> User?
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets
from users where project_id = :project_id and id = :id;

-- name: find_user_by_email(project_id, email) -> User?
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets
from users where project_id = :project_id and email = :email;

-- name: find_user_to_sign_in(project_id, email) -> User?
-- Of nobody a row is made up, without an id: to read and decode a user takes microseconds that would tell. No targets,
-- which nothing of a sign-in shows.
with found as materialized (
    select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
        status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
        phone_verified_at is not null as phone_verified, '[]' as targets
    from users where project_id = :project_id and email = :email
)
select * from found
union all
select :project_id, '', :email, 1, false, '', repeat('x', 97), now(), 'active', '{}', '{}', now(), now(), now(), false,
    null, 0, false, '[]'
where not exists (select from found);

-- name: list_targets_of_users(project_id, user_ids) -> UserTargets*
-- As JSON, of those who have any; few do. Oldest first.
select t.user_id, json_agg(json_build_object(
    'id', t.id, 'provider_type', t.provider_type, 'provider_id', t.provider_id, 'name', t.name,
    'identifier', t.identifier, 'created_at', t.created_at, 'updated_at', t.updated_at
) order by t.created_at, t.id)::text as targets
from targets t left join sessions s on s.project_id = t.project_id and s.user_id = t.user_id and s.id = t.session_id
where t.project_id = :project_id and t.user_id = any(:user_ids::text[]) and (t.session_id is null or s.expires_at > now())
group by t.user_id;

-- name: lock_user(project_id, id) -> User?
-- Every act on a user locks this row first, so that acts on one user never interleave.
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets
from users where project_id = :project_id and id = :id for update;

-- name: claim_address(project_id, email, id)
-- For an act that may give the user this address, before it locks the user's row. A statement of its own, so that all
-- such locks are held at one place where an engine spreads the projects over nodes.
select claim_mailbox(:project_id, :email) from claim_address(:project_id, :email, :id);

-- name: shares_mailbox(project_id, email, id)
-- Whether another account has the mailbox of an address that is not proved, where the project wants one for each.
select shares_mailbox(:project_id, :email, :id, false);

-- name: has_mailbox_holder(project_id, email)
-- Whether an account that has proved its address has the mailbox.
select exists (
    select from users
    where project_id = :project_id and email_verified and (
        email = mailbox_of(:email::text)
        or (mailbox_of(email) <> email and mailbox_of(email) = mailbox_of(:email::text))
    )
);

-- name: list_shared_mailboxes(project_id, most) -> SharedMailbox*
select array_agg(id order by id) as user_ids from users
where project_id = :project_id and email is not null
group by mailbox_of(email) having count(*) > 1 order by min(id) limit :most;

-- name: lock_member(project_id, id, session_id) -> Member?
-- A member's own act locks the user's row and the session's: a session that ends meanwhile can act no more. The user
-- comes first, as in every act that ends sessions.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa,
    u.phone, u.phone_version, u.phone_verified_at is not null as phone_verified,
    case when u.has_targets then null else '[]' end as targets,
    s.id as session_id, s.first_factor, s.assurance,
    s.mfa_at > now() - interval '1800 s' is true as is_fresh,
    greatest(s.created_at, s.mfa_at) > now() - interval '600 s' as is_recent,
    case when u.mfa then exists (
        select from authenticators a where a.project_id = u.project_id and a.user_id = u.id
            and a.verified_at is not null and a.removed_at is null
    ) else false end as has_totp
from users u join sessions s on s.project_id = u.project_id and s.user_id = u.id
where u.project_id = :project_id and u.id = :id and s.id = :session_id and s.expires_at > now()
for update of u for key share of s;

-- name: find_member_by_secret(project_id, user_id, secret_hash) -> Member?
-- The one query of an authenticated request.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa,
    u.phone, u.phone_version, u.phone_verified_at is not null as phone_verified,
    case when u.has_targets then null else '[]' end as targets,
    s.id as session_id, s.first_factor, s.assurance,
    s.mfa_at > now() - interval '1800 s' is true as is_fresh,
    greatest(s.created_at, s.mfa_at) > now() - interval '600 s' as is_recent,
    case when u.mfa then exists (
        select from authenticators a where a.project_id = u.project_id and a.user_id = u.id
            and a.verified_at is not null and a.removed_at is null
    ) else false end as has_totp
from sessions s join users u on u.project_id = s.project_id and u.id = s.user_id
where s.project_id = :project_id and s.user_id = :user_id and s.secret_hash = :secret_hash and s.expires_at > now();

-- name: find_member_by_session(project_id, user_id, session_id) -> Member?
-- The same for a JWT, which names its session.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa,
    u.phone, u.phone_version, u.phone_verified_at is not null as phone_verified,
    case when u.has_targets then null else '[]' end as targets,
    s.id as session_id, s.first_factor, s.assurance,
    s.mfa_at > now() - interval '1800 s' is true as is_fresh,
    greatest(s.created_at, s.mfa_at) > now() - interval '600 s' as is_recent,
    case when u.mfa then exists (
        select from authenticators a where a.project_id = u.project_id and a.user_id = u.id
            and a.verified_at is not null and a.removed_at is null
    ) else false end as has_totp
from sessions s join users u on u.project_id = s.project_id and u.id = s.user_id
where s.project_id = :project_id and s.user_id = :user_id and s.id = :session_id and s.expires_at > now();

-- name: change_password(project_id, id, password_hash)
update users set password_hash = :password_hash, password_updated_at = now(), updated_at = now()
where project_id = :project_id and id = :id;

-- name: record_password(project_id, user_id, password_hash, kept)
-- An earlier password, so that it is not chosen again; as many as the project asks for, the current one counted.
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
-- A user who has verified it as the holder stays the holder.
update users set email_verified = true, updated_at = now(),
    proved_by_holder = :by_holder or (email_verified and proved_by_holder)
where project_id = :project_id and id = :id;

-- name: lock_user_by_email(project_id, email) -> User?
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets
from users where project_id = :project_id and email = :email for update;

-- name: change_name(project_id, id, name) -> User?
update users set name = :name, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: change_prefs(project_id, id, prefs) -> User?
update users set prefs = :prefs, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: change_email(project_id, id, email) -> User?
-- Every token for the former address is void by its version.
-- No row for an address that another user has or may still take back; the address is locked, so that this holds.
update users set email = :email, email_version = email_version + 1, email_verified = false, updated_at = now(),
    email_since = now(), kept = kept or email_verified
where project_id = :project_id and id = :id
    and not exists (
        select from tokens t
        where t.project_id = :project_id and t.email = :email and t.kind = 'email_undo' and t.expires_at > now()
            and t.user_id is distinct from :id
    )
    and not exists (select from users where project_id = :project_id and email = :email and id <> :id)
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: restore_user(project_id, id, email) -> User?
-- Another person may know the password; its date stops a login in progress. The address is the one that the link was
-- mailed to, and so it is verified. If another account has it by now, this one has none: the attacker reads the mails
-- to its present address. The address is locked, so that no other account gets it meanwhile.
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
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa,
    u.phone, u.phone_version, u.phone_verified_at is not null as phone_verified,
    case when u.has_targets then null else '[]' end as targets;

-- name: void_password(project_id, id)
-- Another person may know it. Its date stops a login in progress.
update users set password_hash = null, password_updated_at = now(), updated_at = now()
where project_id = :project_id and id = :id;

-- name: change_status(project_id, id, status) -> User?
update users set status = :status, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: disable_user(project_id, id) -> User?
-- Blocked for good by the member. A verification that was not the member's own is withdrawn: the mailbox's owner may
-- have opened a link that another person had requested, and must not lose the address to that person.
update users set status = 'blocked', email_verified = email_verified and proved_by_holder, updated_at = now()
where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: is_proved_by_holder(project_id, id)
select email_verified and proved_by_holder from users where project_id = :project_id and id = :id;

-- name: is_number_proved_by_holder(project_id, id)
select phone_verified_at is not null and phone_by_holder from users where project_id = :project_id and id = :id;

-- name: set_email_verified(project_id, id, email_verified) -> User?
-- Set by an operator, either way.
update users set email_verified = :email_verified, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: change_times(project_id, id, created_at, password_updated_at) -> User?
-- Of a user of another system. Without a time of its own the password is as old as it was.
update users set created_at = :created_at,
    password_updated_at = case when password_hash is not null
        then coalesce(:password_updated_at, password_updated_at) end
where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: change_labels(project_id, id, labels) -> User?
update users set labels = :labels, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: change_mfa(project_id, id, mfa) -> User?
-- What it was is kept for the undo link.
with former as (
    insert into mfa_changes (project_id, user_id, former)
    select project_id, id, mfa from users where project_id = :project_id and id = :id
)
update users set mfa = :mfa, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: restore_mfa(project_id, id, since)
-- As it was before the first change since then.
update users set mfa = c.former, updated_at = now()
from (
    select former from mfa_changes
    where project_id = :project_id and user_id = :id and changed_at >= :since order by id limit 1
) c
where project_id = :project_id and id = :id;

-- name: remove_factors(project_id, id)
select remove_factors(:project_id, :id);

-- name: delete_mfa_changes(project_id, user_id, since)
delete from mfa_changes where project_id = :project_id and user_id = :user_id
    and (:since::timestamptz is null or changed_at >= :since);

-- name: list_old_mfa_changes(most) -> UserRows*
select project_id, array_agg(user_id) as user_ids, array_agg(id) as ids from (
    select project_id, user_id, id from mfa_changes
    where changed_at < now() - interval '72 hours'
    order by changed_at limit :most
) old group by project_id;

-- name: delete_old_mfa_changes(project_id, user_ids, ids)
delete from mfa_changes where project_id = :project_id and (user_id, id) in (
    select user_id, id from mfa_changes
    where project_id = :project_id and (user_id, id) in (select * from unnest(:user_ids::text[], :ids::bigint[]))
        and changed_at < now() - interval '72 hours'
    for update skip locked
);

-- name: ensure_user_of_number(project_id, ids, phone) -> NumberOwner?
-- The user of a number that was just proved, locked; created if no holder of an account has proved it.
select (e.account).project_id, (e.account).id, (e.account).email, (e.account).email_version, (e.account).email_verified, (e.account).name, (e.account).password_hash,
    (e.account).password_updated_at, (e.account).status, (e.account).labels, (e.account).prefs, (e.account).created_at, (e.account).updated_at, (e.account).accessed_at, (e.account).mfa,
    (e.account).phone, (e.account).phone_version, (e.account).phone_verified_at is not null as phone_verified,
    case when (e.account).has_targets then null else '[]' end as targets,
    e.created,
    not e.created and (e.account).accessed_at < now() - interval '400 days'
        and (e.account).phone_verified_at < now() - interval '400 days'
        and has_other_way_in((e.account)) as recycled
from ensure_user_of_number(:project_id, :ids, :phone) e;

-- name: claim_number(project_id, phone)
-- Before the user's row is locked, as an address is.
select claim_number(:project_id, :phone);

-- name: find_number_holder(project_id, id, phone) -> NumberHolder?
select u.id, u.accessed_at < now() - interval '400 days' and u.phone_verified_at < now() - interval '400 days'
    and not (
        u.password_hash is not null or (u.email is not null and u.email_verified)
        or exists (
            select from authenticators a
            where a.project_id = :project_id and a.user_id = u.id and a.verified_at is not null and a.removed_at is null
        )
        or exists (
            select from passkeys k where k.project_id = :project_id and k.user_id = u.id and k.removed_at is null
        )
        or exists (
            select from identities i where i.project_id = :project_id and i.user_id = u.id and i.removed_at is null
        )
    ) as yields
from users u
where u.project_id = :project_id and u.phone = :phone and u.id <> :id and u.phone_verified_at is not null
    and u.phone_by_holder;

-- name: give_number(project_id, id, phone)
select give_number(:project_id, :phone, :id);

-- name: verify_phone(project_id, id, phone, by_holder) -> User?
-- A user who has proved it as the holder stays the holder.
update users set phone_by_holder = :by_holder or (phone_verified_at is not null and phone_by_holder),
    phone_verified_at = now(), updated_at = now()
where project_id = :project_id and id = :id and phone = :phone
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: unverify_phone(project_id, id) -> User?
update users set phone_verified_at = null, phone_by_holder = false, phone_version = phone_version + 1, updated_at = now()
where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: change_phone(project_id, id, phone) -> User?
-- Every code for the former number is void by its version.
with former as (
    insert into phone_changes (project_id, user_id, phone, verified_at, by_holder)
    select project_id, id, phone, phone_verified_at, phone_by_holder from users
    where project_id = :project_id and id = :id
)
update users set phone = :phone, phone_version = phone_version + 1, phone_verified_at = null, phone_by_holder = false,
    kept = kept or phone_verified_at is not null, updated_at = now()
where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: find_former_phone(project_id, id, since)
-- The one that the user had before the first change since then.
select phone from phone_changes
where project_id = :project_id and user_id = :id and changed_at >= :since order by id limit 1;

-- name: restore_phone(project_id, id, since)
-- As it was before the first change since then; claim that number first. Proved by another account meanwhile, it is not proved here any more.
update users u set phone = c.phone, phone_version = u.phone_version + 1, updated_at = now(),
    phone_verified_at = case when not c.taken then c.verified_at end, phone_by_holder = c.by_holder and not c.taken
from (
    select f.phone, f.verified_at, f.by_holder, exists (
        select from users o where o.project_id = :project_id and o.phone = f.phone and o.id <> :id
            and o.phone_verified_at is not null
    ) as taken
    from phone_changes f
    where f.project_id = :project_id and f.user_id = :id and f.changed_at >= :since order by f.id limit 1
) c
where u.project_id = :project_id and u.id = :id;

-- name: delete_phone_changes(project_id, user_id, since)
delete from phone_changes where project_id = :project_id and user_id = :user_id
    and (:since::timestamptz is null or changed_at >= :since);

-- name: list_old_phone_changes(most) -> UserRows*
select project_id, array_agg(user_id) as user_ids, array_agg(id) as ids from (
    select project_id, user_id, id from phone_changes
    where changed_at < now() - interval '72 hours'
    order by changed_at limit :most
) old group by project_id;

-- name: delete_old_phone_changes(project_id, user_ids, ids)
delete from phone_changes where project_id = :project_id and (user_id, id) in (
    select user_id, id from phone_changes
    where project_id = :project_id and (user_id, id) in (select * from unnest(:user_ids::text[], :ids::bigint[]))
        and changed_at < now() - interval '72 hours'
    for update skip locked
);

-- name: is_number_verified(project_id, phone)
select 1 from users where project_id = :project_id and phone = :phone and phone_verified_at is not null;

-- name: keep_user(project_id, id)
-- It does not end by itself.
update users set kept = true where project_id = :project_id and id = :id;

-- name: delete_user(project_id, id)
-- The user's sessions and tokens are deleted with it.
delete from users where project_id = :project_id and id = :id;
