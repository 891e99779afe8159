-- name: create_webhook_endpoint(project_id, id, url, types)
insert into webhook_endpoints (project_id, id, url, types) values (:project_id, :id, :url, :types);

-- name: change_webhook_endpoint(project_id, id, url, types)
-- Null keeps what it is.
update webhook_endpoints set url = coalesce(:url::text, url), types = coalesce(:types::text[], types)
where project_id = :project_id and id = :id;

-- name: enable_webhook_endpoint(project_id, id)
-- What it is owed is due at once.
with enabled as (
    update webhook_endpoints set status = 'enabled', disabled_at = null, reason = null, failing_since = null
    where project_id = :project_id and id = :id and status = 'disabled' returning id
)
update webhook_lanes set due_at = now()
where project_id = :project_id and endpoint_id in (select id from enabled) and due_at is not null and lease_by is null;

-- name: disable_webhook_endpoint(project_id, id, reason)
update webhook_endpoints set status = 'disabled', disabled_at = now(), reason = :reason
where project_id = :project_id and id = :id and status = 'enabled';

-- name: disable_failing_webhook_endpoint(project_id, id, reason, days)
update webhook_endpoints set status = 'disabled', disabled_at = now(), reason = :reason
where project_id = :project_id and id = :id and status = 'enabled'
    and failing_since < now() - make_interval(days => :days);

-- name: delete_webhook_endpoint(project_id, id)
delete from webhook_endpoints where project_id = :project_id and id = :id;

-- name: delete_webhook_deliveries(project_id, endpoint_id, most)
-- After the endpoint is gone.
delete from webhook_deliveries where (project_id, endpoint_id, number) in (
    select project_id, endpoint_id, number from webhook_deliveries
    where project_id = :project_id and endpoint_id = :endpoint_id limit :most
);

-- name: list_webhook_endpoints(project_id) -> Endpoint*
select project_id, id, url, types, status, created_at, disabled_at, reason, failing_since,
    coalesce(extract(epoch from now() - failing_since), 0)::bigint as failing_seconds,
    (select coalesce(sum(pending), 0) from webhook_lanes l
    where l.project_id = w.project_id and l.endpoint_id = w.id)::int as pending
from webhook_endpoints w where project_id = :project_id order by id;

-- name: find_webhook_endpoint(project_id, id) -> Endpoint?
select project_id, id, url, types, status, created_at, disabled_at, reason, failing_since,
    coalesce(extract(epoch from now() - failing_since), 0)::bigint as failing_seconds,
    (select coalesce(sum(pending), 0) from webhook_lanes l
    where l.project_id = w.project_id and l.endpoint_id = w.id)::int as pending
from webhook_endpoints w where project_id = :project_id and id = :id;

-- name: list_all_webhook_endpoints() -> EndpointState*
select project_id, id,
    case when status = 'enabled' and failing_since is not null then 'failing' else status end as state, reason,
    coalesce((
        select extract(epoch from now() - min(l.due_at)) from webhook_lanes l
        where l.project_id = w.project_id and l.endpoint_id = w.id and l.due_at <= now() and w.status = 'enabled'
    ), 0)::float8 as overdue
from webhook_endpoints w order by project_id, id;

-- name: add_webhook_secret(project_id, endpoint_id, id, kid, sealed)
insert into webhook_secrets (project_id, endpoint_id, id, kid, sealed)
values (:project_id, :endpoint_id, :id, :kid, :sealed);

-- name: expire_webhook_secrets(project_id, endpoint_id, seconds)
-- All that have no end yet, and those that would end later.
update webhook_secrets set expires_at = now() + make_interval(secs => :seconds)
where project_id = :project_id and endpoint_id = :endpoint_id
    and (expires_at is null or expires_at > now() + make_interval(secs => :seconds));

-- name: delete_expired_webhook_secrets(project_id, endpoint_id)
delete from webhook_secrets
where project_id = :project_id and endpoint_id = :endpoint_id and expires_at <= now();

-- name: list_live_webhook_secrets(project_id, endpoint_id) -> SealedSecret*
-- The newest first.
select id, kid, sealed from webhook_secrets
where project_id = :project_id and endpoint_id = :endpoint_id and (expires_at is null or expires_at > now())
order by created_at desc, id desc;

-- name: list_due_webhook_endpoints() -> DueEndpoint*
select project_id, id, failing_since is not null as failing from webhook_endpoints w
where status = 'enabled' and exists (
    select from webhook_lanes l where l.project_id = w.project_id and l.endpoint_id = w.id and l.due_at <= now()
)
order by project_id, id;

-- name: claim_webhook_lanes(project_id, endpoint_id, worker, lease, most) -> Lane*
-- A lane whose lease ran out is taken over. Which delivery is the lowest is asked afterwards: before the lane is held,
-- another worker may end it.
with free as (
    select user_id from webhook_lanes
    where project_id = :project_id and endpoint_id = :endpoint_id and due_at <= now() and exists (
        select from webhook_endpoints w
        where w.project_id = :project_id and w.id = :endpoint_id and w.status = 'enabled'
    )
    order by due_at limit :most for update skip locked
)
update webhook_lanes l set fence = l.fence + 1, lease_by = :worker, due_at = now() + make_interval(secs => :lease)
from free where l.project_id = :project_id and l.endpoint_id = :endpoint_id and l.user_id = free.user_id
returning l.user_id, l.fence;

-- name: list_lowest_webhook_deliveries(project_id, endpoint_id, user_ids) -> Delivery*
select d.project_id, d.endpoint_id, d.number, d.event_id, d.type, d.user_id, d.at, d.state, d.attempts, d.last_status,
    d.last_fault, d.ended_at
from unnest(:user_ids::text[]) u (user_id) cross join lateral (
    select * from webhook_deliveries n
    where n.project_id = :project_id and n.endpoint_id = :endpoint_id and n.user_id = u.user_id and n.state = 'pending'
    order by number limit 1
) d;

-- name: end_webhook_delivery(project_id, endpoint_id, user_id, number, fence, state, status, fault)
-- No row if another worker has claimed the lane since, or if it was recorded already.
with lane as (
    update webhook_lanes set pending = pending - 1, lease_by = null, fence = fence + 1,
        due_at = case when pending > 1 then clock.moment end
    from (select now() as moment) clock
    where project_id = :project_id and endpoint_id = :endpoint_id and user_id = :user_id and fence = :fence
    returning user_id
), well as (
    update webhook_endpoints set failing_since = null
    where project_id = :project_id and id = :endpoint_id and failing_since is not null and :state::text = 'delivered'
), failing as (
    update webhook_endpoints set failing_since = now()
    where project_id = :project_id and id = :endpoint_id and failing_since is null and :state = 'failed'
)
update webhook_deliveries set state = :state, attempts = attempts + 1, last_status = :status::int,
    last_fault = nullif(:fault::text, ''), ended_at = now()
where project_id = :project_id and endpoint_id = :endpoint_id and number = :number and state = 'pending'
    and exists (select from lane);

-- name: reschedule_webhook_delivery(project_id, endpoint_id, user_id, number, fence, seconds, status, fault)
-- Those of the same user wait behind it.
with lane as (
    update webhook_lanes set lease_by = null, fence = fence + 1, due_at = now() + make_interval(secs => :seconds)
    where project_id = :project_id and endpoint_id = :endpoint_id and user_id = :user_id and fence = :fence
    returning user_id
), failing as (
    update webhook_endpoints set failing_since = now()
    where project_id = :project_id and id = :endpoint_id and failing_since is null
)
update webhook_deliveries set attempts = attempts + 1, last_status = :status::int, last_fault = nullif(:fault::text, '')
where project_id = :project_id and endpoint_id = :endpoint_id and number = :number and state = 'pending'
    and exists (select from lane);

-- name: release_webhook_lane(project_id, endpoint_id, user_id, fence, seconds)
-- Nothing was posted.
update webhook_lanes set lease_by = null, fence = fence + 1, due_at = now() + make_interval(secs => :seconds)
where project_id = :project_id and endpoint_id = :endpoint_id and user_id = :user_id and fence = :fence;

-- name: release_webhook_lanes_of_worker(worker)
update webhook_lanes set lease_by = null, fence = fence + 1, due_at = now() where lease_by = :worker;

-- name: list_webhook_deliveries(project_id, endpoint_id, states, before, most) -> Delivery*
-- The newest first.
select project_id, endpoint_id, number, event_id, type, user_id, at, state, attempts, last_status, last_fault, ended_at
from webhook_deliveries
where project_id = :project_id and endpoint_id = :endpoint_id and (:states::text[] is null or state = any(:states))
    and (:before::bigint is null or number < :before)
order by number desc limit :most;

-- name: find_feed_numbers(project_id, event_ids) -> FeedNumber*
select number, at from feed_events where project_id = :project_id and id = any(:event_ids::uuid[]) order by number;

-- name: list_feed_numbers(project_id, after_at, after, until, most) -> FeedNumber*
-- In the order of their times, after the number of one of them.
select number, at from feed_events
where project_id = :project_id and (at, number) > (:after_at::timestamptz, :after::bigint) and at < :until
order by at, number limit :most;

-- name: replay_webhook_events(project_id, endpoint_id, numbers)
-- Owed once more, under the same ids; also those that the endpoint was never owed. Not those that are pending.
with owed as (
    insert into webhook_deliveries (project_id, endpoint_id, number, event_id, type, user_id, at)
    select e.project_id, w.id, e.number, e.id, e.name, e.user_id, e.at
    from feed_events e join webhook_endpoints w on w.project_id = e.project_id and w.id = :endpoint_id
    where e.project_id = :project_id and e.number = any(:numbers::bigint[]) and wants_event(w.types, e.name)
    on conflict (project_id, endpoint_id, number) do update set state = 'pending', attempts = 0, ended_at = null
    where webhook_deliveries.state <> 'pending'
    returning project_id, endpoint_id, user_id
), lanes as (
    insert into webhook_lanes (project_id, endpoint_id, user_id, pending)
    select project_id, endpoint_id, user_id, count(*) from owed
    group by project_id, endpoint_id, user_id order by user_id
    on conflict (project_id, endpoint_id, user_id) do update set pending = webhook_lanes.pending + excluded.pending,
        due_at = coalesce(webhook_lanes.due_at, excluded.due_at)
)
select count(*)::int from owed;

-- name: delete_ended_webhook_deliveries(project_id, endpoint_id, days, most)
-- Not one that is replayed meanwhile: it is locked, or looked at again once it is.
delete from webhook_deliveries where (project_id, endpoint_id, number) in (
    select project_id, endpoint_id, number from webhook_deliveries
    where project_id = :project_id and endpoint_id = :endpoint_id and state <> 'pending'
        and ended_at < now() - make_interval(days => :days)
    order by ended_at limit :most for update skip locked
);

-- name: delete_idle_webhook_lanes(project_id, endpoint_id, most)
-- Of users who are owed nothing; not one that is owed something meanwhile.
delete from webhook_lanes where (project_id, endpoint_id, user_id) in (
    select project_id, endpoint_id, user_id from webhook_lanes
    where project_id = :project_id and endpoint_id = :endpoint_id and due_at is null limit :most
    for update skip locked
);
