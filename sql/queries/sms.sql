-- name: enqueue_sms(project_id, id, kind, user_id, token_id, recipient, locale, deadline_at, traceparent)
insert into sms (project_id, id, kind, user_id, token_id, recipient, locale, deadline_at, traceparent)
values (:project_id, :id, :kind, :user_id, :token_id, :recipient, :locale, :deadline_at, :traceparent);

-- name: record_sms_used(project_id, token_id)
update sms set used_at = now() where project_id = :project_id and token_id = :token_id and used_at is null;

-- name: claim_sms(project_id, id, worker, lease) -> SmsClaim?
-- One worker gets the SMS; a lease that ran out is taken over from its worker. `attempts` is the fencing token. Each
-- claim counts as sent until it is known that it was not: a worker may die after the webhook has taken the SMS.
with free as (
    select id, project_id, state from sms
    where project_id = :project_id and id = :id and state in ('pending', 'sending') and due_at <= now()
    for update skip locked
), claimed as (
    update sms m set state = 'sending', attempts = m.attempts + 1, sends = m.sends + 1, lease_by = :worker,
        due_at = now() + make_interval(secs => :lease)
    from free where m.project_id = :project_id and m.id = free.id
    returning m.*, free.state = 'sending' as stolen
)
select c.project_id, c.id, c.kind, c.recipient, c.locale, c.attempts, c.sends, c.stolen, c.deadline_at <= now() as late,
    p.name as project_name, array(select hostname from platforms where project_id = c.project_id) as hostnames,
    p.sms_countries, t.id as token_id, t.kind as token_kind, t.user_id as token_user_id, t.asked_as as requested_user_id,
    t.email_version as token_version, t.kid, t.created_at as token_created_at, t.expires_at as token_expires_at,
    u.status as owner_status, u.phone as owner_phone, u.phone_version as owner_phone_version, c.traceparent,
    p.sign_up = 'open' or (p.sign_up = 'invitation' and exists (
        select from invitations i where i.project_id = c.project_id and i.id = t.invitation_id and i.uses < i.most_uses
            and i.expires_at > now()
    )) as may_sign_up
from claimed c join projects p on p.id = c.project_id
left join tokens t on t.project_id = c.project_id and t.id = c.token_id and t.expires_at > now() and t.attempts < 5
left join users u on u.project_id = c.project_id and u.id = coalesce(t.user_id, (
    select o.id from users o where o.project_id = c.project_id and o.phone = c.recipient
        and o.phone_verified_at is not null and o.phone_by_holder
));

-- name: finish_sms(project_id, id, attempts, state, code, fault)
-- Sent is valid until another attempt begins, whoever holds the lease; every other end needs the lease.
update sms set state = :state, lease_by = null, last_code = :code::int, last_fault = nullif(:fault::text, ''),
    ended_at = now()
where id = :id and project_id = :project_id and attempts = :attempts
    and (state = 'sending' or (:state = 'sent' and state = 'pending'));

-- name: reschedule_sms(project_id, id, attempts, seconds, unsent, code, fault)
-- Due again, at its deadline at the latest; no row if another worker has claimed it since.
update sms set state = 'pending', lease_by = null, last_code = :code::int, last_fault = :fault,
    sends = sends - case when :unsent::boolean then 1 else 0 end,
    due_at = least(now() + make_interval(secs => :seconds), greatest(deadline_at, now()))
where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts;

-- name: find_sms_project(id)
select project_id from sms where id = :id;

-- name: list_due_sms(seconds, expired, most) -> Due*
select project_id, id from sms where state in ('pending', 'sending') and due_at < now() - make_interval(secs => :seconds)
    and (not :expired::boolean or deadline_at <= now())
order by due_at limit :most;

-- name: release_sms_of_worker(worker)
update sms set state = 'pending', lease_by = null, due_at = now() where state = 'sending' and lease_by = :worker;

-- name: undo_sms_claims(ids, worker)
-- Claims whose answer a worker never got, so that nothing was sent; the attempt is counted all the same.
update sms set state = 'pending', lease_by = null, due_at = now(), sends = sends - 1
where id = any(:ids::uuid[]) and state = 'sending' and lease_by = :worker;

-- name: list_finished_sms(days, most) -> ProjectRows*
select project_id, array_agg(id) as ids from (
    select project_id, id from sms
    where id < uuid_at(now() - make_interval(days => :days) + interval '1 day')
        and state not in ('pending', 'sending') and ended_at < now() - make_interval(days => :days)
    order by id limit :most
) old group by project_id;

-- name: delete_finished_sms(project_id, ids, days)
delete from sms where project_id = :project_id and id in (
    select id from sms
    where project_id = :project_id and id = any(:ids::uuid[]) and state not in ('pending', 'sending')
        and ended_at < now() - make_interval(days => :days)
    for update skip locked
);

-- name: low_sms_conversions(most, least) -> Conversion*
-- Of each project's last SMS, those whose codes have had their time.
select p.id as project_id, s.sent, s.used
from projects p cross join lateral (
    select count(*)::int as sent, (count(*) filter (where n.used_at is not null))::int as used from (
        select used_at from sms
        where project_id = p.id and state = 'sent' and deadline_at < now() and created_at > now() - interval '7 days'
        order by created_at desc limit :most
    ) n
) s
where s.sent >= :most and s.used < :least
order by p.id;

-- name: list_sms(states, project_id, after, most) -> Sms*
-- Newest first: ids grow with time. The newest of each project and state, by their index, then the newest of these. The
-- state is ordered by though it is one, or the planner reads by id what may be of any state.
select s.* from (
    select id as project_id from projects where :project_id::text is null or id = :project_id
) p cross join unnest(:states::text[]) w (state) cross join lateral (
    select id, project_id, kind, user_id, recipient, state, attempts, sends, last_code, last_fault, created_at,
        ended_at, extract(epoch from now() - created_at)::float8 as age,
        case when state in ('pending', 'sending') then extract(epoch from due_at - now())::float8 end as due_in,
        used_at is not null as used
    from sms
    where project_id = p.project_id and state >= w.state and state <= w.state
        and (:after::uuid is null or id < :after)
    order by state desc, id desc limit :most::int
) s order by s.id desc limit :most;

-- name: find_sms(id) -> Sms?
select id, project_id, kind, user_id, recipient, state, attempts, sends, last_code, last_fault, created_at, ended_at,
    extract(epoch from now() - created_at)::float8 as age,
    case when state in ('pending', 'sending') then extract(epoch from due_at - now())::float8 end as due_in,
    used_at is not null as used
from sms where id = :id;

-- name: count_sms_states(project_id, most) -> StateCount*
-- Counted to `most`, from the oldest on; the state is ordered by as above.
select w.state, c.count, c.count >= :most::int as estimated, extract(epoch from now() - c.oldest)::float8 as oldest_age
from unnest(array['pending', 'sending', 'sent', 'failed', 'expired', 'cancelled', 'void']) w (state) cross join lateral (
    select count(*) as count, min(m.created_at) filter (where w.state in ('pending', 'sending')) as oldest from (
        select s.created_at from projects p cross join lateral (
            select created_at from sms
            where project_id = p.id and state >= w.state and state <= w.state order by state, id limit :most
        ) s
        where :project_id::text is null or p.id = :project_id limit :most
    ) m
) c
where c.count > 0 order by w.state;

-- name: retry_sms(ids) -> Due*
-- Not those that a worker is sending, nor those whose code is dead. One more send is allowed: an operator asks for it.
update sms s set state = 'pending', due_at = now(), ended_at = null, sends = least(s.sends, 2)
where s.id = any(:ids::uuid[]) and s.state in ('pending', 'failed') and s.deadline_at > now()
    and exists (select from tokens t where t.project_id = s.project_id and t.id = s.token_id and t.expires_at > now())
returning s.project_id, s.id;

-- name: cancel_sms(ids) -> Due*
update sms set state = 'cancelled', last_fault = 'an operator cancelled it', ended_at = now()
where id = any(:ids::uuid[]) and state = 'pending'
returning project_id, id;
