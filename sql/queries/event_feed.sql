-- name: open_event_feed(project_id)
insert into event_feeds (project_id) values (:project_id) on conflict do nothing;

-- name: append_feed_events(project_id, ids, names, user_ids, times)
-- The events in the order of the arrays, numbered on from the last one, and owed to the project's webhooks; the feed's
-- row is locked by `dequeue_events`. Returns how many are owed.
with feed as (
    update event_feeds set last_number = last_number + cardinality(:ids::uuid[]) where project_id = :project_id
    returning project_id, last_number - cardinality(:ids::uuid[]) as last
), filed as (
    insert into feed_events (project_id, number, id, name, user_id, at)
    select f.project_id, f.last + e.place, e.id, e.name, e.user_id, e.at
    from feed f, unnest(:ids::uuid[], :names::text[], :user_ids::text[], :times::timestamptz[])
        with ordinality as e (id, name, user_id, at, place)
    returning project_id, number, id, name, user_id, at
), owed as (
    insert into webhook_deliveries (project_id, endpoint_id, number, event_id, type, user_id, at)
    select f.project_id, w.id, f.number, f.id, f.name, f.user_id, f.at
    from filed f join webhook_endpoints w on w.project_id = f.project_id
    where w.status = 'enabled' and wants_event(w.types, f.name)
    returning project_id, endpoint_id, user_id
), lanes as (
    insert into webhook_lanes (project_id, endpoint_id, user_id, pending)
    select project_id, endpoint_id, user_id, count(*) from owed
    group by project_id, endpoint_id, user_id order by endpoint_id, user_id
    on conflict (project_id, endpoint_id, user_id) do update set pending = webhook_lanes.pending + excluded.pending,
        due_at = coalesce(webhook_lanes.due_at, excluded.due_at)
)
select count(*)::int from owed;

-- name: list_feed_events(project_id, after, most) -> FeedRow*
-- One row at least if there is a feed, with nulls for no event. One snapshot: what is deleted meanwhile is not missed.
select f.last_number, f.deleted_through, e.number, e.id, e.name, e.user_id, e.at
from event_feeds f left join lateral (
    select * from feed_events n
    where n.project_id = f.project_id and n.number > :after::bigint order by n.number limit :most
) e on true
where f.project_id = :project_id order by e.number;

-- name: list_event_feeds() -> Feed*
select project_id from event_feeds order by project_id;

-- name: delete_old_feed_events(project_id, days, most)
-- Numbers rise with time: only the first ones are looked at.
with old as (
    select number from (
        select number, filed_at from feed_events where project_id = :project_id order by number limit :most
    ) first where filed_at < now() - make_interval(days => :days)
), feed as (
    update event_feeds set deleted_through = greatest(deleted_through, (select max(number) from old))
    where project_id = :project_id and exists (select from old)
)
delete from feed_events where project_id = :project_id and number in (select number from old);
