-- name: record_event(project_id, event_id, event, user_id, token_id, ip, user_agent, traceparent)
-- Not ready while its user is unknown: the worker that finds the user makes it ready.
insert into events (project_id, id, name, user_id, token_id, ready, ip, user_agent, traceparent)
values (:project_id, :event_id, :event, :user_id, :token_id, :user_id::text is not null, :ip, :user_agent, :traceparent);

-- name: assign_events_user(project_id, token_id, user_id) -> EventId*
update events set user_id = :user_id, ready = true
where project_id = :project_id and token_id = :token_id and not ready
returning id;

-- name: list_projects_with_events(most) -> PendingProject*
-- Those of the oldest events.
select project_id, count(*)::int as events from (select project_id, at from events where ready order by at limit :most) e
group by project_id order by min(at);

-- name: dequeue_events(project_id, most) -> PendingEvent*
-- The oldest: a hundred rows at once cost little more than one. The feed is locked first and until the transaction ends,
-- so that its events are filed in order: who waited here sees in its snapshot what came before each event it takes.
with locked as materialized (
    select project_id from event_feeds where project_id = :project_id for update
), found as materialized (
    select id, (select count(*) from locked) > 0 as in_feed from events
    where project_id = :project_id and ready order by at limit :most for update skip locked
)
delete from events e using found f
where e.project_id = :project_id and e.id = f.id
returning e.project_id, e.id, e.name, e.user_id, e.ip, e.user_agent, e.at, e.traceparent, f.in_feed;

-- name: has_overdue_event(seconds)
-- An event whose job was lost.
select 1 from events where ready and at < now() - make_interval(secs => :seconds) limit 1;

-- name: events_lag()
-- Seconds for which the oldest event has waited to be filed.
select coalesce(extract(epoch from now() - (select at from events where ready order by at limit 1)), 0)::float8;
