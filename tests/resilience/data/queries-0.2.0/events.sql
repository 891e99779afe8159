-- name: record_event(project_id, id, name, user_id, token_id, ip, user_agent)
-- Not ready while nobody knows yet whom it concerns: the worker that finds out settles it.
insert into events (project_id, id, name, user_id, token_id, ready, ip, user_agent)
values (:project_id, :id, :name, :user_id, :token_id, :user_id::text is not null, :ip, :user_agent);

-- name: settle_events(project_id, token_id, user_id) -> EventId*
update events set user_id = :user_id, ready = true
where project_id = :project_id and token_id = :token_id and not ready
returning id;

-- name: take_events(most) -> PendingEvent*
-- The oldest that wait: a hundred rows at once cost little more than one.
delete from events where id in (
    select id from events where ready order by at limit :most for update skip locked
)
returning project_id, id, name, user_id, ip, user_agent, at;

-- name: has_late_event(seconds)
-- One whose bell was lost.
select 1 from events where ready and at < now() - make_interval(secs => :seconds) limit 1;
