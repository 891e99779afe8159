-- name: create_oauth_flow(project_id, id, provider, kind, success, failure, app_state, browser, session_id, invitation_id, seconds)
insert into oauth_flows (project_id, id, provider, kind, success, failure, app_state, browser, session_id,
    invitation_id, expires_at)
values (:project_id, :id, :provider, :kind, :success, :failure, :app_state, :browser, :session_id, :invitation_id,
    now() + make_interval(secs => :seconds));

-- name: take_oauth_flow(project_id, id, provider, browser) -> Flow?
-- Of any number of concurrent calls one gets it. Another browser than the one that started it does not use it up.
delete from oauth_flows
where project_id = :project_id and id = :id and provider = :provider and expires_at > now()
    and (browser is null or browser = :browser)
returning project_id, id, provider, kind, success, failure, app_state, browser is not null as bound, session_id,
    invitation_id;

-- name: list_expired_oauth_flows(most) -> ProjectRows*
select project_id, array_agg(id) as ids from (
    select project_id, id from oauth_flows
    where expires_at < now()
    order by expires_at limit :most
) old group by project_id;

-- name: delete_expired_oauth_flows(project_id, ids)
delete from oauth_flows where project_id = :project_id and id in (
    select id from oauth_flows
    where project_id = :project_id and id = any(:ids::text[]) and expires_at < now()
    for update skip locked
);
