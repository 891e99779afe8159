-- name: create_user(project_id, ids, email, email_verified, name, password_hash) -> User?
-- Under the first free id. No row if none is, or if the address is taken, or reserved and not verified.
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets
from make_user(:project_id, :ids, :email, :email_verified, :name, :password_hash);

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

-- name: find_user_to_sign_in(windows, project_id, email) -> UserToSignIn?
-- Of nobody a row is made up, without an id. With `windows` the call is counted first, and nobody is looked for if one
-- is full. No targets.
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at, status, labels,
    prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version, phone_verified, targets, usages, counted_at,
    refused
from find_user_to_sign_in(:windows, :project_id, :email);

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

-- name: keep_user(project_id, id)
-- It does not end by itself.
update users set kept = true where project_id = :project_id and id = :id;

-- name: delete_user(project_id, id)
-- The user's sessions and tokens are deleted with it.
delete from users where project_id = :project_id and id = :id;
