-- name: record_event(project_id, id, name, user_id, token_id, ip, user_agent, traceparent)
-- Not ready while its user is unknown: the worker that finds the user makes it ready.
insert into events (project_id, id, name, user_id, token_id, ready, ip, user_agent, traceparent)
values (:project_id, :id, :name, :user_id, :token_id, :user_id::text is not null, :ip, :user_agent, :traceparent);

-- name: assign_events_user(project_id, token_id, user_id) -> EventId*
update events set user_id = :user_id, ready = true
where project_id = :project_id and token_id = :token_id and not ready
returning id;

-- name: dequeue_events(most) -> PendingEvent*
-- The oldest: a hundred rows at once cost little more than one.
delete from events where id in (
    select id from events where ready order by at limit :most for update skip locked
)
returning project_id, id, name, user_id, ip, user_agent, at, traceparent;

-- name: has_overdue_event(seconds)
-- An event whose job was lost.
select 1 from events where ready and at < now() - make_interval(secs => :seconds) limit 1;

-- name: events_lag()
-- Seconds for which the oldest event has waited to be filed.
select coalesce(extract(epoch from now() - (select at from events where ready order by at limit 1)), 0)::float8;
