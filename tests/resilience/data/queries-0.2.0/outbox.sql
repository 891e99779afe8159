-- name: post_mail(project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id)
insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id)
values (:project_id, :id, :letter, :user_id, :token_id, :recipient, :locale, :facts, :deadline_at, :message_id);

-- name: post_notice(project_id, id, letter, user_id, recipient, locale, facts, message_id)
-- Without a link there is nothing to expire; three days is how long it is worth trying.
insert into mails (project_id, id, letter, user_id, recipient, locale, facts, deadline_at, message_id)
values (:project_id, :id, :letter, :user_id, :recipient, :locale, :facts, now() + interval '3 days', :message_id);

-- name: claim_mail(id, worker, lease) -> Claim?
-- One worker gets it, with all that the letter needs; a lease that ran out is anyone's, and whoever had it lost it.
-- `attempts` is the fencing number: whoever claims later has a higher one.
-- A blocked account that never proved its address holds it for nobody: the mail is as one to nobody's address.
with free as (
    select id, project_id, state, attempts, lease_by from mails
    where id = :id and state in ('pending', 'sending') and due_at <= now() for update skip locked
), claimed as (
    update mails m set state = 'sending', attempts = m.attempts + 1, lease_by = :worker,
        due_at = now() + make_interval(secs => :lease)
    from free where m.id = free.id and m.project_id = free.project_id
    returning m.*, free.state = 'sending' as stolen, free.lease_by as loser
), lost as (
    insert into mail_events (project_id, mail_id, name, attempt, worker)
    select project_id, id, 'lost', attempts - 1, coalesce(loser, '') from claimed where stolen
)
select c.project_id, c.id, c.letter, c.recipient, c.locale, c.facts, c.attempts, c.stolen, c.message_id, c.token_id,
    c.last_fault, c.deadline_at <= now() as late, c.created_at,
    p.name as project_name, p.sender_name, p.sender_address, p.plain_http, p.verification_url,
    array(select hostname from platforms where project_id = c.project_id) as hostnames,
    t.kind, t.user_id as token_user_id, t.asked_as as requested_user_id, t.email as token_email, t.email_version as token_email_version, t.kid,
    t.created_at as token_created_at, t.expires_at as token_expires_at,
    u.id as user_id, u.email_version, u.status as user_status
from claimed c join projects p on p.id = c.project_id
left join tokens t on t.project_id = c.project_id and t.id = c.token_id
left join users u on u.project_id = c.project_id and u.email = c.recipient
    and (u.status <> 'blocked' or u.email_verified);

-- name: own_mail(project_id, id, user_id)
update mails set user_id = :user_id where id = :id and project_id = :project_id;

-- name: renew_mails(ids, attempts, worker, lease) -> Lease*
-- Its worker lives: nobody else may take it yet. Answers those that are its own still.
update mails m set due_at = now() + make_interval(secs => :lease)
from unnest(:ids::uuid[], :attempts::int[]) as held (id, attempts)
where m.id = held.id and m.attempts = held.attempts and m.state = 'sending' and m.lease_by = :worker
returning m.id, m.attempts;

-- name: confirm_mail(id, attempt, worker, server, code, answer)
-- The relay took what that attempt brought. Right for as long as nobody has begun another, whoever holds the lease.
with confirmed as (
    update mails set state = 'sent', lease_by = null, last_code = :code, last_fault = null, ended_at = now()
    where id = :id and attempts = :attempt and state in ('pending', 'sending')
    returning project_id, id, attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker, server, code, fault)
select project_id, id, 'sent', attempts, :worker, :server, :code::int, :answer from confirmed;

-- name: end_mail(project_id, id, attempts, state, worker, server, stage, code, fault)
with ended as (
    update mails set state = :state, lease_by = null, last_code = :code, ended_at = now(),
        last_fault = concat_ws(': ', nullif(:stage::text, ''), :fault::text)
    where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts
    returning project_id, id, attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker, server, stage, code, fault)
select project_id, id, :state, attempts, :worker, :server, :stage, :code::int, :fault from ended;

-- name: postpone_mail(project_id, id, attempts, seconds, cause, worker, server, stage, code, fault)
-- Back to the queue, to its deadline at most; nothing if somebody else has claimed it since.
with postponed as (
    update mails set state = 'pending', lease_by = null, last_code = :code, last_cause = :cause,
        last_fault = concat_ws(': ', nullif(:stage::text, ''), :fault::text),
        due_at = least(now() + make_interval(secs => :seconds), greatest(deadline_at, now()))
    where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts
    returning project_id, id, attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker, server, stage, code, fault)
select project_id, id, 'waits', attempts, :worker, :server, :stage, :code::int, :fault from postponed;

-- name: bury_mail(id, worker, tries, fault)
-- A row that can't even be read, and so has no claim.
with buried as (
    update mails set state = 'failed', lease_by = null, last_fault = :fault, last_cause = 'ours', ended_at = now()
    where id = :id and state = 'sending' and lease_by = :worker and attempts >= :tries::int
    returning project_id, id, attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker, fault)
select project_id, id, 'failed', attempts, :worker, :fault from buried;

-- name: list_due_mails(seconds, patience, most) -> DueMail*
-- Those whose bell was lost, whose wait is over, or whose worker's lease ran out longer ago than `patience`.
select id from mails where state in ('pending', 'sending') and due_at < now() - make_interval(secs => :seconds)
    and (state = 'pending' or due_at < now() - make_interval(secs => :patience))
order by due_at limit :most;

-- name: list_late_mails(most) -> DueMail*
-- Of no use to anyone any more: they can be ended without a relay.
select id from mails where state in ('pending', 'sending') and due_at <= now() and deadline_at <= now()
order by due_at limit :most;

-- name: hasten_mails(stages, most)
-- What waited for the relay and for nothing else is due since it was accepted, so that the oldest goes first. A fault
-- of ours at one of these stages was the relay's word on all mails: when it is well that has been put right.
with theirs as (
    select id, project_id from mails where state = 'pending' and last_cause = 'server' and due_at > now()
    order by created_at limit :most for update skip locked
), ours as (
    select id, project_id from mails where state = 'pending' and last_cause = 'ours' and due_at > now()
        and split_part(last_fault, ': ', 1) = any(:stages::text[])
    order by due_at limit :most for update skip locked
)
update mails m set due_at = m.created_at from (select * from theirs union all select * from ours) w
where m.id = w.id and m.project_id = w.project_id;

-- name: free_mails_of(worker)
-- A worker that starts again under its name takes back at once what it held when it died. A mail that was in the
-- hands of three that died may be why they died: it has to wait, and for nobody's recovery.
with mine as (
    select id, project_id, attempts from mails where state = 'sending' and lease_by = :worker for update
), freed as (
    update mails m set state = 'pending', lease_by = null, last_cause = null, due_at = now() + make_interval(secs => (
        select case when count(*) < 2 then 0 else 60 end from mail_events e
        where e.project_id = m.project_id and e.mail_id = m.id and e.name = 'lost'
    ))
    from mine where m.id = mine.id and m.project_id = mine.project_id
    returning m.project_id, m.id, m.attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker)
select project_id, id, 'lost', attempts, :worker from freed;

-- name: give_back_mails(ids, worker)
-- Claimed by a worker that did not hear of it, so that nothing was tried; the attempt is counted all the same.
update mails set state = 'pending', lease_by = null, due_at = now()
where id = any(:ids::uuid[]) and state = 'sending' and lease_by = :worker;

-- name: hand_back_mails(worker, kept)
-- What a worker that stops has claimed and not sent: nobody need wait for its leases.
update mails set state = 'pending', lease_by = null, due_at = now()
where state = 'sending' and lease_by = :worker and not id = any(:kept::uuid[]);

-- name: cancel_mails_of(project_id, user_id)
-- A worker that is about to send one asks once more whether it still may.
with cancelled as (
    update mails set state = 'cancelled', lease_by = null, last_fault = 'its account was deleted', ended_at = now()
    where project_id = :project_id and user_id = :user_id and state in ('pending', 'sending')
    returning project_id, id, attempts, last_fault
)
insert into mail_events (project_id, mail_id, name, attempt, fault)
select project_id, id, 'cancelled', attempts, last_fault from cancelled;

-- name: get_backlog() -> Backlog?
-- What is owed to the world at this moment; ages in seconds.
select count(*) filter (where state = 'pending') as pending, count(*) filter (where state = 'sending') as sending,
    coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest,
    coalesce(greatest(extract(epoch from now() - min(due_at) filter (where state = 'pending')), 0), 0)::float8 as overdue
from mails where state in ('pending', 'sending');

-- name: drop_ended_mails(days, most)
-- What was sent or given up is kept for questions, then forgotten: it holds an address.
delete from mails where (id, project_id) in (
    select id, project_id from mails
    where state not in ('pending', 'sending') and ended_at < now() - make_interval(days => :days) limit :most
);
