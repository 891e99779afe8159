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
