-- name: list_project_relays() -> ProjectRelay*
select project_id, server, kid, sealed from project_relays order by project_id;

-- name: find_project_relay(project_id) -> ProjectRelay?
select project_id, server, kid, sealed from project_relays where project_id = :project_id;

-- name: set_project_relay(project_id, server, kid, sealed)
insert into project_relays (project_id, server, kid, sealed) values (:project_id, :server, :kid, :sealed)
on conflict (project_id) do update set server = excluded.server, kid = excluded.kid, sealed = excluded.sealed;

-- name: remove_project_relay(project_id)
delete from project_relays where project_id = :project_id;
