-- name: ensure_user(project_id, ids, email) -> Ensured
-- The user of an address that was just verified, locked; created if there is none.
select (e.account).project_id, (e.account).id, (e.account).email, (e.account).email_version,
    (e.account).email_verified, (e.account).name, (e.account).password_hash, (e.account).password_updated_at,
    (e.account).status, (e.account).labels, (e.account).prefs, (e.account).created_at, (e.account).updated_at,
    (e.account).accessed_at, (e.account).mfa,
    (e.account).phone, (e.account).phone_version, (e.account).phone_verified_at is not null as phone_verified,
    case when (e.account).has_targets then null else '[]' end as targets, (e.account).proved_by_holder, e.created
from ensure_user(:project_id, :ids, :email) e;

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
-- Two users have one mailbox only where one of them spells it in another way: those stand in an index of their own.
with spelled as (
    select distinct mailbox_of(email) as mailbox from users
    where project_id = :project_id and mailbox_of(email) <> email
)
select f.user_ids from spelled s cross join lateral (
    select array_agg(u.id order by u.id) as user_ids from users u
    where u.project_id = :project_id
        and (u.email = s.mailbox or (mailbox_of(u.email) <> u.email and mailbox_of(u.email) = s.mailbox))
) f
where cardinality(f.user_ids) > 1 order by s.mailbox limit :most;

-- name: verify_email(project_id, id, by_holder)
-- A user who has verified it as the holder stays the holder.
update users set email_verified = true, updated_at = now(),
    proved_by_holder = :by_holder or (email_verified and proved_by_holder)
where project_id = :project_id and id = :id;

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

-- name: is_proved_by_holder(project_id, id)
select email_verified and proved_by_holder from users where project_id = :project_id and id = :id;

-- name: set_email_verified(project_id, id, email_verified) -> User?
-- Set by an operator, either way.
update users set email_verified = :email_verified, updated_at = now() where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;
