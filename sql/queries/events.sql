-- name: record_event(project_id, id, name, user_id, token_id, ip, user_agent, traceparent)
-- Not ready while its user is unknown: the worker that finds the user makes it ready.
insert into events (project_id, id, name, user_id, token_id, ready, ip, user_agent, traceparent)
values (:project_id, :id, :name, :user_id, :token_id, :user_id::text is not null, :ip, :user_agent, :traceparent);

-- name: assign_events_user(project_id, token_id, user_id) -> EventId*
update events set user_id = :user_id, ready = true
where project_id = :project_id and token_id = :token_id and not ready
returning id;

-- name: dequeue_events(most) -> PendingEvent*
-- The oldest: a hundred rows at once cost little more than one. Feeds are locked first and until the transaction ends, so
-- that their events are filed in order: who waited here sees in its snapshot what came before each event it takes.
-- Events of a feed that was not locked stay for the next batch.
with locked as materialized (
    select project_id from event_feeds
    where project_id in (select project_id from events where ready order by at limit :most)
    order by project_id for update
)
delete from events where id in (
    select id from events e
    where ready and (
        project_id = any(array(select project_id from locked))
        or not exists (select from event_feeds f where f.project_id = e.project_id)
    )
    order by at limit :most for update skip locked
)
returning project_id, id, name, user_id, ip, user_agent, at, traceparent,
    project_id = any(array(select project_id from locked)) as in_feed;

-- name: has_overdue_event(seconds)
-- An event whose job was lost.
select 1 from events where ready and at < now() - make_interval(secs => :seconds) limit 1;

-- name: events_lag()
-- Seconds for which the oldest event has waited to be filed.
select coalesce(extract(epoch from now() - (select at from events where ready order by at limit 1)), 0)::float8;
