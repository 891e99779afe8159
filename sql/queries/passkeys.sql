-- name: ensure_webauthn_handle(project_id, user_id, handle)
-- The same for all passkeys of a user. Lock the user first.
update users set webauthn_handle = coalesce(webauthn_handle, :handle)
where project_id = :project_id and id = :user_id
returning webauthn_handle;

-- name: create_passkey(project_id, id, user_id, name, credential_id, credential_hash, public_key, algorithm, backup_eligible, backed_up, sign_count, transports, aaguid) -> Passkey?
-- No row if the id or the credential is taken, by a removed one too.
insert into passkeys (project_id, id, user_id, name, credential_id, credential_hash, public_key, algorithm,
    backup_eligible, backed_up, sign_count, transports, aaguid)
values (:project_id, :id, :user_id, :name, :credential_id, :credential_hash, :public_key, :algorithm,
    :backup_eligible, :backed_up, :sign_count, :transports, :aaguid)
on conflict do nothing
returning project_id, id, user_id, name, credential_id, transports, created_at, updated_at, accessed_at;

-- name: list_passkeys(project_id, user_id) -> Passkey*
select project_id, id, user_id, name, credential_id, transports, created_at, updated_at, accessed_at
from passkeys where project_id = :project_id and user_id = :user_id and removed_at is null order by created_at, id;

-- name: find_passkey(project_id, user_id, id) -> Passkey?
select project_id, id, user_id, name, credential_id, transports, created_at, updated_at, accessed_at
from passkeys where project_id = :project_id and user_id = :user_id and id = :id and removed_at is null;

-- name: is_passkey_taken(project_id, id)
select exists (select from passkeys where project_id = :project_id and id = :id);

-- name: find_credential(project_id, credential_hash) -> Credential?
select p.project_id, p.id, p.user_id, p.public_key, p.backup_eligible, u.webauthn_handle
from passkeys p join users u on u.project_id = p.project_id and u.id = p.user_id
where p.project_id = :project_id and p.credential_hash = :credential_hash and p.removed_at is null;

-- name: use_passkey(project_id, id, user_id, sign_count, backed_up)
-- The counter of a passkey that stays on one device has to grow, if it has one: of two uses with the same value one is
-- a copy's. Copies of a synced passkey each count for themselves.
update passkeys set sign_count = :sign_count, backed_up = :backed_up, accessed_at = now()
where project_id = :project_id and id = :id and user_id = :user_id and removed_at is null
    and (backup_eligible or sign_count < :sign_count or (sign_count = 0 and :sign_count = 0));

-- name: rename_passkey(project_id, user_id, id, name) -> Passkey?
update passkeys set name = :name, updated_at = now()
where project_id = :project_id and user_id = :user_id and id = :id and removed_at is null
returning project_id, id, user_id, name, credential_id, transports, created_at, updated_at, accessed_at;

-- name: remove_passkey(project_id, user_id, id)
update passkeys set removed_at = now()
where project_id = :project_id and user_id = :user_id and id = :id and removed_at is null;

-- name: delete_passkeys_since(project_id, user_id, since)
delete from passkeys where project_id = :project_id and user_id = :user_id and created_at >= :since;

-- name: restore_passkeys(project_id, user_id, since)
update passkeys set removed_at = null where project_id = :project_id and user_id = :user_id and removed_at >= :since;

-- name: has_passkeys(project_id)
-- Those that are being made too.
select exists (select from passkeys where project_id = :project_id and removed_at is null)
    or exists (
        select from passkey_challenges
        where project_id = :project_id and passkey_id is not null and used_at is null and expires_at > now()
    );

-- name: list_removed_passkeys(most) -> ProjectRows*
-- What no undo link needs any more.
select project_id, array_agg(id) as ids from (
    select project_id, id from passkeys
    where removed_at < now() - interval '72 hours'
    order by removed_at limit :most
) old group by project_id;

-- name: delete_removed_passkeys(project_id, ids)
delete from passkeys where project_id = :project_id and id in (
    select id from passkeys
    where project_id = :project_id and id = any(:ids::text[]) and removed_at < now() - interval '72 hours'
    for update skip locked
);
