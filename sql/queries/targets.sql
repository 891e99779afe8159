-- name: claim_identifier(project_id, provider_type, identifier)
-- Until the transaction ends nobody else registers it. It comes before the user's row.
select claim_identifier(:project_id, :provider_type, :identifier);

-- name: delete_ended_targets(project_id, user_id)
-- Of sessions that have ended and are not purged yet. Lock the user first.
delete from targets t using sessions s
where t.project_id = :project_id and t.user_id = :user_id and s.project_id = t.project_id and s.user_id = t.user_id
    and s.id = t.session_id and s.expires_at <= now();

-- name: list_targets(project_id, user_id) -> Target*
-- Oldest first.
select t.project_id, t.user_id, t.id, t.provider_type, t.provider_id, t.name, t.identifier, t.created_at, t.updated_at
from targets t
left join sessions s on s.project_id = t.project_id and s.user_id = t.user_id and s.id = t.session_id
where t.project_id = :project_id and t.user_id = :user_id and (t.session_id is null or s.expires_at > now())
order by t.created_at, t.id;

-- name: lock_targets(project_id, user_id, id, provider_type, identifier)
-- A user's target and the one that has the identifier which it is to get, always in one order: two users who change
-- identifiers for each other's would else wait for each other.
select 1 from targets
where project_id = :project_id
    and ((user_id = :user_id and id = :id) or (provider_type = :provider_type and identifier = :identifier))
order by user_id, id for update;

-- name: release_identifier(project_id, user_id, provider_type, identifier)
-- Another user's target of this identifier is gone: a device changes hands. Claim the identifier first.
delete from targets
where project_id = :project_id and provider_type = :provider_type and identifier = :identifier
    and user_id <> :user_id;

-- name: create_target(project_id, user_id, id, session_id, provider_type, provider_id, name, identifier) -> Target
with noted as (
    update users set has_targets = true where project_id = :project_id and id = :user_id and not has_targets
)
insert into targets (project_id, user_id, id, session_id, provider_type, provider_id, name, identifier)
values (:project_id, :user_id, :id, :session_id, :provider_type, :provider_id, :name, :identifier)
returning project_id, user_id, id, provider_type, provider_id, name, identifier, created_at, updated_at;

-- name: update_target(project_id, user_id, id, provider_id, name, identifier) -> Target?
update targets set provider_id = :provider_id, name = :name, identifier = :identifier, updated_at = now()
where project_id = :project_id and user_id = :user_id and id = :id
returning project_id, user_id, id, provider_type, provider_id, name, identifier, created_at, updated_at;

-- name: move_targets(project_id, user_id, session_id, to_session_id)
update targets set session_id = :to_session_id, updated_at = now()
where project_id = :project_id and user_id = :user_id and session_id = :session_id;

-- name: delete_target(project_id, user_id, id)
delete from targets where project_id = :project_id and user_id = :user_id and id = :id;

-- name: delete_targets(project_id, user_id)
delete from targets where project_id = :project_id and user_id = :user_id;
