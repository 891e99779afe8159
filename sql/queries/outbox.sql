-- name: enqueue_mail(project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id, traceparent)
-- A letter without a link has no expiry of its own; it is tried for three days.
insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id, traceparent)
values (:project_id, :id, :letter, :user_id, :token_id, :recipient, :locale, :facts,
    coalesce(:deadline_at, now() + interval '3 days'), :message_id, :traceparent);

-- name: claim_mails(project_id, ids, worker, lease) -> Claim*
-- One worker gets each mail that is due, with everything that its letter needs; a lease that ran out is taken over from
-- its worker.
-- `attempts` is the fencing token: a later claim has a higher one.
-- `prefs` only where they name a time zone or a locale; they are the user's text and are read by the worker.
-- A blocked account that never verified its address does not count as the address's user.
-- Whose suppressions the project has, `suppressions.confirm` finds out by the keyed hashes.
with free as (
    select id, project_id, state, attempts, lease_by from mails
    where project_id = :project_id and id = any(:ids::uuid[]) and state in ('pending', 'sending') and due_at <= now()
    for update skip locked
), claimed as (
    update mails m set state = 'sending', attempts = m.attempts + 1, lease_by = :worker,
        due_at = now() + make_interval(secs => :lease)
    from free where m.id = free.id and m.project_id = :project_id
    returning m.*, free.state = 'sending' as stolen, free.lease_by as loser
), lost as (
    insert into mail_events (project_id, mail_id, name, attempt, worker)
    select project_id, id, 'lost', attempts - 1, coalesce(loser, '') from claimed where stolen
)
select c.project_id, c.id, c.letter, c.recipient, c.locale, c.facts, c.attempts, c.stolen, c.message_id, c.token_id,
    c.last_fault, c.deadline_at <= now() as late, c.created_at,
    p.name as project_name, p.sender_name, p.sender_address, p.plain_http, p.verification_url,
    array(select hostname from platforms where project_id = c.project_id) as hostnames,
    (select extract(epoch from max(changed_at))::text || ' ' || count(*) from template_overrides
        where project_id = c.project_id) as overrides,
    (select string_agg(selector || ' ' || extract(epoch from activated_at)::text, ',' order by selector) from dkim_keys
        where project_id = c.project_id and state = 'active') as dkim,
    coalesce(b.reply_to, '') as reply_to, coalesce(b.support_address, '') as support_address,
    coalesce(b.accent_color, '') as accent_color, coalesce(b.footer_text, '') as footer_text, b.logo_digest,
    t.kind, t.user_id as token_user_id, t.asked_as as requested_user_id, t.email as token_email, t.email_version as token_email_version, t.kid,
    t.created_at as token_created_at, t.expires_at as token_expires_at,
    u.id as user_id, u.email_version, u.status as user_status,
    case when strpos(u.prefs, '"timezone"') > 0 or strpos(u.prefs, '"locale"') > 0 then u.prefs end as prefs,
    c.traceparent, exists (select from suppressions where project_id = c.project_id) as has_suppressions,
    false as suppressed,
    p.sign_up = 'open' or (p.sign_up = 'domains' and split_part(c.recipient, '@', 2) = any(p.sign_up_domains))
        or (p.sign_up = 'invitation' and exists (
            select from invitations i where i.project_id = c.project_id and i.uses < i.most_uses and i.expires_at > now()
                and (i.id = t.invitation_id or i.email = c.recipient)
        )) as may_sign_up,
    split_part(c.recipient, '@', 2) = any(p.test_domains) as at_test_domain,
    p.one_per_mailbox
from claimed c join projects p on p.id = c.project_id
left join branding b on b.project_id = c.project_id
left join tokens t on t.project_id = c.project_id and t.id = c.token_id
left join users u on u.project_id = c.project_id and u.email = c.recipient
    and (u.status <> 'blocked' or u.email_verified);

-- name: draft_mail(project_id, id, letter, recipient, locale) -> Claim?
-- What a claim of such a letter would hold, with no mail in the outbox; without such a project a sender of no project.
select coalesce(p.id, '') as project_id, :id::uuid as id, :letter::text as letter, :recipient::text as recipient,
    coalesce(nullif(:locale::text, ''), p.locale, 'en') as locale, '{}'::jsonb as facts, 1 as attempts, false as stolen,
    '' as message_id, null::text as token_id, null::text as last_fault, false as late, now() as created_at,
    coalesce(p.name, 'Accounts') as project_name, coalesce(p.sender_name, '') as sender_name,
    coalesce(p.sender_address, '') as sender_address, coalesce(p.plain_http, false) as plain_http,
    coalesce(p.verification_url, '') as verification_url,
    array(select hostname from platforms where project_id = p.id) as hostnames,
    (select extract(epoch from max(changed_at))::text || ' ' || count(*) from template_overrides
        where project_id = p.id) as overrides,
    (select string_agg(selector || ' ' || extract(epoch from activated_at)::text, ',' order by selector) from dkim_keys
        where project_id = p.id and state = 'active') as dkim,
    coalesce(b.reply_to, '') as reply_to, coalesce(b.support_address, '') as support_address,
    coalesce(b.accent_color, '') as accent_color, coalesce(b.footer_text, '') as footer_text, b.logo_digest,
    null::text as kind, null::text as token_user_id, null::text as requested_user_id, null::text as token_email,
    null::int as token_email_version, null::text as kid, null::timestamptz as token_created_at,
    null::timestamptz as token_expires_at,
    null::text as user_id, null::int as email_version, null::text as user_status, null::text as prefs,
    null::text as traceparent, false as has_suppressions, false as suppressed, true as may_sign_up,
    false as at_test_domain, false as one_per_mailbox
from (select 1) one left join projects p on p.id = :project_id::text left join branding b on b.project_id = p.id;

-- name: note_override_fault(project_id, id, attempts, fault)
-- Among the facts of the letter, which `mails show` reads.
update mails set facts = facts || jsonb_build_object('override_fault', :fault::text)
where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts;

-- name: assign_mail_user(project_id, id, user_id)
update mails set user_id = :user_id where id = :id and project_id = :project_id;

-- name: assign_recipient(project_id, id, token_id, email) -> AssignedToken?
-- The user of a token's address is found, locked, and set in token, mail and events, once only. No row, and nothing
-- changed, where there is none: a user who was locked by another may have given the address up, which only a later
-- statement can see.
with holder as (
    select id, email_version from users
    where project_id = :project_id and email = :email and status <> 'blocked' for update
), assigned as (
    update tokens t set user_id = holder.id, email_version = holder.email_version from holder
    where t.project_id = :project_id and t.id = :token_id and t.user_id is null
    returning t.project_id, t.id, t.kind, t.user_id, t.asked_as as requested_user_id, t.email, t.email_version, t.kid,
        t.created_at, t.expires_at
), mail as (
    update mails m set user_id = a.user_id from assigned a where m.project_id = :project_id and m.id = :id
), settled as (
    update events e set user_id = a.user_id, ready = true from assigned a
    where e.project_id = :project_id and e.token_id = a.id and not e.ready
    returning e.id
)
select a.*, array(select id from settled) as events from assigned a;

-- name: renew_leases(project_id, ids, attempts, worker, lease) -> Lease*
-- Extends the leases that are still this worker's, and returns them. Rows are locked in the order of their ids, as by
-- record_mails_sent: two statements that meet can't deadlock.
with held as (
    select m.id from mails m
    join unnest(:ids::uuid[], :attempts::int[]) as h (id, attempts) on m.id = h.id and m.attempts = h.attempts
    where m.project_id = :project_id and m.state = 'sending' and m.lease_by = :worker order by m.id for update of m
)
update mails m set due_at = now() + make_interval(secs => :lease)
from held where m.id = held.id and m.project_id = :project_id
returning m.id, m.attempts, m.project_id;

-- name: record_mails_sent(project_id, ids, attempts, servers, codes, answers, worker) -> Lease*
-- A relay accepted these attempts; returns those that are recorded. Each is valid until another attempt at the mail
-- begins, whichever worker holds the lease.
with accepted as (
    select m.id, a.server, a.code, a.answer from mails m
    join unnest(:ids::uuid[], :attempts::int[], :servers::text[], :codes::int[], :answers::text[])
        as a (id, attempts, server, code, answer) on m.id = a.id and m.attempts = a.attempts
    where m.project_id = :project_id and m.state in ('pending', 'sending') order by m.id for update of m
), confirmed as (
    update mails m set state = 'sent', lease_by = null, last_code = a.code, last_fault = null, ended_at = now()
    from accepted a where m.id = a.id and m.project_id = :project_id
    returning m.project_id, m.id, m.attempts, a.server, a.code, a.answer
), noted as (
    insert into mail_events (project_id, mail_id, name, attempt, worker, server, code, fault)
    select project_id, id, 'sent', attempts, :worker, server, code, answer from confirmed
)
select id, attempts, project_id from confirmed;

-- name: finish_mail(project_id, id, attempts, state, worker, server, stage, code, fault)
with ended as (
    update mails set state = :state, lease_by = null, last_code = :code, ended_at = now(),
        last_fault = concat_ws(': ', nullif(:stage::text, ''), :fault::text)
    where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts
    returning project_id, id, attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker, server, stage, code, fault)
select project_id, id, :state, attempts, :worker, :server, :stage, :code::int, :fault from ended;

-- name: reschedule_mail(project_id, id, attempts, seconds, cause, worker, server, stage, code, fault)
-- Due again, at its deadline at the latest; no row if another worker has claimed it since.
with postponed as (
    update mails set state = 'pending', lease_by = null, last_code = :code, last_cause = :cause,
        last_fault = concat_ws(': ', nullif(:stage::text, ''), :fault::text),
        due_at = least(now() + make_interval(secs => :seconds), greatest(deadline_at, now()))
    where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts
    returning project_id, id, attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker, server, stage, code, fault)
select project_id, id, 'waits', attempts, :worker, :server, :stage, :code::int, :fault from postponed;

-- name: fail_unreadable_mail(project_id, id, worker, tries, fault)
-- A row that can't be read, and so has no claim.
with buried as (
    update mails set state = 'failed', lease_by = null, last_fault = :fault, last_cause = 'ours', ended_at = now()
    where project_id = :project_id and id = :id and state = 'sending' and lease_by = :worker
        and attempts >= :tries::int
    returning project_id, id, attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker, fault)
select project_id, id, 'failed', attempts, :worker, :fault from buried;

-- name: list_due_mails(seconds, patience, only, but, most) -> DueMail*
-- Mails whose job was lost, whose wait is over, or whose lease ran out longer ago than `patience`; of all projects but
-- some, or of some only.
select id, project_id from mails where state in ('pending', 'sending') and due_at < now() - make_interval(secs => :seconds)
    and (state = 'pending' or due_at < now() - make_interval(secs => :patience))
    and (:only::text[] is null or project_id = any(:only)) and project_id <> all(:but::text[])
order by due_at limit :most;

-- name: list_expired_mails(most) -> DueMail*
-- Mails past their deadline, which can be ended without a relay.
select id, project_id from mails where state in ('pending', 'sending') and due_at <= now() and deadline_at <= now()
order by due_at limit :most;

-- name: list_waiting_mails(stages, only, but, most) -> ProjectRows*
-- Mails that waited only for the relay. A fault of ours at one of these stages concerned all mails: now that the relay
-- works again it has been fixed.
select project_id, array_agg(id) as ids from (
    (select project_id, id from mails where state = 'pending' and last_cause = 'server' and due_at > now()
        and (:only::text[] is null or project_id = any(:only)) and project_id <> all(:but::text[])
    order by created_at limit :most)
    union all
    (select project_id, id from mails where state = 'pending' and last_cause = 'ours' and due_at > now()
        and split_part(last_fault, ': ', 1) = any(:stages::text[])
        and (:only::text[] is null or project_id = any(:only)) and project_id <> all(:but::text[])
    order by due_at limit :most)
) w group by project_id;

-- name: reschedule_mails_now(project_id, ids)
-- Due as of their creation, so that the oldest goes first.
update mails set due_at = created_at
where project_id = :project_id and id in (
    select id from mails
    where project_id = :project_id and id = any(:ids::uuid[]) and state = 'pending' and due_at > now()
        and last_cause in ('server', 'ours')
    for update skip locked
);

-- name: list_mails_of_worker(worker) -> ProjectRows*
select project_id, array_agg(id) as ids from mails where state = 'sending' and lease_by = :worker group by project_id;

-- name: release_mails_of_worker(project_id, ids, worker)
-- A worker that starts again under its name releases at once the mails that it held when it died. A mail held by three
-- workers that died may be the cause: it waits a minute, and is not rescheduled when a relay recovers.
with mine as (
    select id, attempts from mails
    where project_id = :project_id and id = any(:ids::uuid[]) and state = 'sending' and lease_by = :worker for update
), freed as (
    update mails m set state = 'pending', lease_by = null, last_cause = null, due_at = now() + make_interval(secs => (
        select case when count(*) < 2 then 0 else 60 end from mail_events e
        where e.project_id = m.project_id and e.mail_id = m.id and e.name = 'lost'
    ))
    from mine where m.id = mine.id and m.project_id = :project_id
    returning m.project_id, m.id, m.attempts
)
insert into mail_events (project_id, mail_id, name, attempt, worker)
select project_id, id, 'lost', attempts, :worker from freed;

-- name: list_projects_of_mails(ids) -> ProjectRows*
select project_id, array_agg(id) as ids from mails where id = any(:ids::uuid[]) group by project_id;

-- name: release_mails(ids, worker)
-- Claims whose answer a worker never got, so that nothing was sent; the attempt is counted all the same.
update mails set state = 'pending', lease_by = null, due_at = now()
where id = any(:ids::uuid[]) and state = 'sending' and lease_by = :worker;

-- name: release_all_mails(worker, kept)
-- Mails that a stopping worker has claimed and not sent, so that they need not wait for its leases.
update mails set state = 'pending', lease_by = null, due_at = now()
where state = 'sending' and lease_by = :worker and not id = any(:kept::uuid[]);

-- name: cancel_mails_of_user(project_id, user_id)
-- A worker that is about to send one checks its lease once more.
with cancelled as (
    update mails set state = 'cancelled', lease_by = null, last_fault = 'its account was deleted', ended_at = now()
    where project_id = :project_id and user_id = :user_id and state in ('pending', 'sending')
    returning project_id, id, attempts, last_fault
)
insert into mail_events (project_id, mail_id, name, attempt, fault)
select project_id, id, 'cancelled', attempts, last_fault from cancelled;

-- name: get_backlog(most) -> Backlog?
-- Mails not ended yet, ages in seconds. Counted to `most`; beyond it the oldest is of those due first, or of those that
-- wait for a server.
select d.pending, d.sending,
    coalesce(extract(epoch from now() - least(d.oldest, (
        select created_at from mails where state = 'pending' and last_cause = 'server' order by created_at limit 1
    ))), 0)::float8 as oldest,
    coalesce(greatest(extract(epoch from now() - d.due), 0), 0)::float8 as overdue
from (
    select count(*) filter (where state = 'pending') as pending, count(*) filter (where state = 'sending') as sending,
        min(created_at) as oldest, min(due_at) filter (where state = 'pending') as due
    from (
        select state, created_at, due_at from mails where state in ('pending', 'sending') order by due_at limit :most
    ) m
) d;

-- name: expect_mails(state, project_id)
-- How many mails of a state the planner expects.
select expected_mails(:state, :project_id);

-- name: list_finished_mails(days, most) -> ProjectRows*
-- Ended mails are kept for questions, then deleted, since they hold an address. Ids grow with time, so that the oldest
-- stand at one end of the key; a day of tolerance for the clocks of those who made them.
select project_id, array_agg(id) as ids from (
    select project_id, id from mails
    where id < uuid_at(now() - make_interval(days => :days) + interval '1 day')
        and state not in ('pending', 'sending') and ended_at < now() - make_interval(days => :days)
    order by id limit :most
) old group by project_id;

-- name: delete_finished_mails(project_id, ids, days)
delete from mails where project_id = :project_id and id in (
    select id from mails
    where project_id = :project_id and id = any(:ids::uuid[]) and state not in ('pending', 'sending')
        and ended_at < now() - make_interval(days => :days)
    for update skip locked
);
