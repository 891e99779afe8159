-- name: delete_pending_authenticator(project_id, user_id)
delete from authenticators
where project_id = :project_id and user_id = :user_id and verified_at is null and removed_at is null;

-- name: create_authenticator(project_id, user_id, id, kid, sealed)
insert into authenticators (project_id, user_id, id, kid, sealed) values (:project_id, :user_id, :id, :kid, :sealed);

-- name: find_authenticator(project_id, user_id) -> Authenticator?
-- The verified one, or the one whose first code is waited for, an hour at most. `step` is the time of this statement.
select project_id, user_id, id, kid, sealed, verified_at is not null as verified,
    floor(extract(epoch from clock_timestamp()) / 30)::bigint as step
from authenticators
where project_id = :project_id and user_id = :user_id and removed_at is null
    and (verified_at is not null or created_at > now() - interval '1 hour')
order by verified_at is null limit 1;

-- name: has_authenticator(project_id, user_id)
select exists (
    select from authenticators
    where project_id = :project_id and user_id = :user_id and verified_at is not null and removed_at is null
);

-- name: verify_authenticator(project_id, user_id, id, step)
-- The code that verifies it counts as used.
update authenticators set verified_at = now(), last_step = :step
where project_id = :project_id and user_id = :user_id and id = :id and verified_at is null and removed_at is null;

-- name: use_authenticator_step(project_id, user_id, id, step)
-- Of any number of concurrent calls one gets the step; earlier steps are void then.
update authenticators set last_step = :step
where project_id = :project_id and user_id = :user_id and id = :id and verified_at is not null
    and removed_at is null and last_step < :step;

-- name: remove_authenticator(project_id, user_id)
update authenticators set removed_at = now()
where project_id = :project_id and user_id = :user_id and verified_at is not null and removed_at is null;

-- name: delete_authenticators_since(project_id, user_id, since)
delete from authenticators
where project_id = :project_id and user_id = :user_id and (verified_at is null or verified_at >= :since);

-- name: restore_authenticators(project_id, user_id, since)
-- At most one was verified before and not removed by then.
update authenticators set removed_at = null
where project_id = :project_id and user_id = :user_id and verified_at < :since and removed_at >= :since;

-- name: delete_old_authenticators(most)
-- What no undo link needs any more, and what was never verified.
delete from authenticators where (project_id, user_id, id) in (
    (select project_id, user_id, id from authenticators where removed_at < now() - interval '72 hours'
        order by removed_at limit :most)
    union all
    (select project_id, user_id, id from authenticators
        where verified_at is null and removed_at is null and created_at < now() - interval '1 hour'
        order by created_at limit :most)
);
