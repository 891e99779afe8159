-- name: lock_dkim_keys(project_id)
-- Until the end of the transaction no other changes which of the project's keys there are, and which sign.
select pg_advisory_xact_lock(hashtext('dkim_keys'), hashtext(:project_id));

-- name: list_dkim_keys(project_id) -> DkimKey*
-- RSA first: receivers that know one algorithm alone take the first signature that they can check.
select project_id, selector, domain, algorithm, state, public_key, kid, sealed, created_at, activated_at
from dkim_keys where project_id = :project_id order by algorithm desc, created_at, selector;

-- name: list_signing_keys() -> DkimKey*
select project_id, selector, domain, algorithm, state, public_key, kid, sealed, created_at, activated_at
from dkim_keys where state = 'active' order by project_id, algorithm desc;

-- name: create_dkim_key(project_id, selector, domain, algorithm, public_key, kid, sealed) -> DkimKey
insert into dkim_keys (project_id, selector, domain, algorithm, public_key, kid, sealed)
values (:project_id, :selector, :domain, :algorithm, :public_key, :kid, :sealed)
returning project_id, selector, domain, algorithm, state, public_key, kid, sealed, created_at, activated_at;

-- name: deactivate_dkim_keys(project_id, selector)
-- Those that the given key takes the place of.
update dkim_keys set state = 'former'
where project_id = :project_id and state = 'active' and selector <> :selector and algorithm = (
    select algorithm from dkim_keys where project_id = :project_id and selector = :selector
);

-- name: date_dkim_key(project_id, selector)
-- Before it is activated; one that is active keeps its date.
update dkim_keys set activated_at = now()
where project_id = :project_id and selector = :selector and state <> 'active';

-- name: activate_dkim_key(project_id, selector) -> DkimKey?
update dkim_keys set state = 'active'
where project_id = :project_id and selector = :selector
returning project_id, selector, domain, algorithm, state, public_key, kid, sealed, created_at, activated_at;

-- name: delete_dkim_key(project_id, selector)
delete from dkim_keys where project_id = :project_id and selector = :selector;
