-- name: find_older_mail(after, skipped)
-- The end of a window: so many mails before this one, or before the newest.
select id from mails where :after::uuid is null or id < :after order by id desc limit 1 offset :skipped;

-- name: find_newer_mail(after, skipped)
select id from mails where :after::uuid is null or id > :after order by id limit 1 offset :skipped;

-- name: list_outbox(states, project_id, letter, older, newer, after, until, most) -> MailSummary*
-- Newest first: ids grow with time. A null filters nothing; `older` and `newer` are ages in seconds. The last event has
-- the state of a mail; a worker of an earlier release wrote none at its end. A mail ended unsent counts no attempt.
select m.project_id, m.id, m.letter, m.recipient, m.state, m.attempts,
    m.attempts - coalesce(e.worker <> '' and e.name in ('void', 'expired', 'cancelled', 'suppressed'), false)::int as tries, m.created_at,
    extract(epoch from now() - m.created_at)::float8 as age,
    case when m.state in ('pending', 'sending') then extract(epoch from m.due_at - now())::float8 end as due_in,
    coalesce(e.name, '') as last, coalesce(e.stage, '') as stage,
    case when e.name is null then m.last_code else e.code end as last_code,
    case when e.name is null then m.last_fault else e.fault end as last_fault
from mails m left join lateral (
    select name, worker, stage, code, fault from mail_events
    where project_id = m.project_id and mail_id = m.id
        and name not in ('retried', 'delivered', 'deferred', 'bounced', 'complained') order by id desc limit 1
) e on m.ended_at is null or e.name = m.state
where (:states::text[] is null or m.state = any(:states)) and (:project_id::text is null or m.project_id = :project_id)
    and (:letter::text is null or m.letter = :letter)
    and (:older::float8 is null or m.created_at <= now() - make_interval(secs => :older))
    and (:newer::float8 is null or m.created_at >= now() - make_interval(secs => :newer))
    and (:after::uuid is null or m.id < :after) and (:until::uuid is null or m.id >= :until)
order by m.id desc limit :most;

-- name: select_mails(states, project_id, letter, older, newer, after, until, most) -> MailId*
-- The same filter, oldest first, so that the mail that waited longest is sent first.
select id from mails
where state = any(:states::text[]) and (:project_id::text is null or project_id = :project_id)
    and (:letter::text is null or letter = :letter)
    and (:older::float8 is null or created_at <= now() - make_interval(secs => :older))
    and (:newer::float8 is null or created_at >= now() - make_interval(secs => :newer))
    and (:after::uuid is null or id > :after) and (:until::uuid is null or id <= :until)
order by id limit :most;

-- name: find_mail(id) -> Mail?
select project_id, id, letter, user_id, recipient, locale, state, attempts, lease_by, message_id, last_cause, last_code,
    last_fault, created_at, due_at, deadline_at, ended_at,
    case when state in ('pending', 'sending') then extract(epoch from due_at - now())::float8 end as due_in,
    coalesce(facts ->> 'override_fault', '') as override_fault
from mails where id = :id;

-- name: list_mail_events(project_id, mail_id) -> MailEvent*
select at, name, attempt, worker, server, stage, code, fault from mail_events
where project_id = :project_id and mail_id = :mail_id order by id;

-- name: retry_mails(project_id, ids) -> ActionResult*
-- Due at once, with its event. A mail that ended unsent is reopened if it is still of use. Rows locked by a worker are
-- skipped: waiting for several might deadlock.
with asked as (
    select m.project_id, m.id, m.state,
        case
            when m.state = 'sending' and m.due_at > now() then 'sending'
            when m.state in ('pending', 'sending') then 'done'
            when m.state in ('sent', 'void') then m.state
            when m.deadline_at <= now() then 'late'
            when m.token_id is not null and not exists (
                select from tokens t
                where t.project_id = m.project_id and t.id = m.token_id and t.expires_at > now()
            ) then 'dead_link'
            when m.user_id is not null and not exists (
                select from users u where u.project_id = m.project_id and u.id = m.user_id
            ) then 'no_account'
            else 'done'
        end as verdict
    from mails m where m.project_id = :project_id and m.id = any(:ids::uuid[]) for update of m skip locked
), retried as (
    update mails m set state = case when m.state = 'sending' then m.state else 'pending' end,
        due_at = least(m.due_at, now()), ended_at = null
    from asked a where m.project_id = :project_id and m.id = a.id and a.verdict = 'done'
    returning m.project_id, m.id, m.attempts
), told as (
    insert into mail_events (project_id, mail_id, name, attempt) select project_id, id, 'retried', attempts from retried
)
select i.id, m.project_id, m.recipient,
    coalesce(a.verdict, case when m.id is null then 'unknown' else 'busy' end) as verdict,
    case when m.user_id is null then m.token_id end as unowned_token
from unnest(:ids::uuid[]) with ordinality i (id, place)
left join mails m on m.project_id = :project_id and m.id = i.id left join asked a on a.id = i.id
order by i.place;

-- name: cancel_mails(project_id, ids) -> ActionResult*
-- Pending mails, and those whose lease ran out: should its worker come back, the fencing token stops it.
with asked as (
    select m.project_id, m.id,
        case
            when m.state = 'sending' and m.due_at > now() then 'sending'
            when m.state in ('pending', 'sending') then 'done'
            else m.state
        end as verdict
    from mails m where m.project_id = :project_id and m.id = any(:ids::uuid[]) for update of m skip locked
), cancelled as (
    update mails m set state = 'cancelled', lease_by = null, last_fault = 'an operator cancelled it', ended_at = now()
    from asked a where m.project_id = :project_id and m.id = a.id and a.verdict = 'done'
    returning m.project_id, m.id, m.attempts, m.last_fault
), told as (
    insert into mail_events (project_id, mail_id, name, attempt, fault)
    select project_id, id, 'cancelled', attempts, last_fault from cancelled
)
select i.id, m.project_id, m.recipient,
    coalesce(a.verdict, case when m.id is null then 'unknown' else 'busy' end) as verdict,
    case when m.user_id is null then m.token_id end as unowned_token
from unnest(:ids::uuid[]) with ordinality i (id, place)
left join mails m on m.project_id = :project_id and m.id = i.id left join asked a on a.id = i.id
order by i.place;

-- name: count_states(project_id, most) -> StateCount*
-- Counted to `most`. Mails to be sent are ordered by when they are due, and of the
-- oldest those that wait for a server are known by age.
select w.state, c.count, c.count >= :most::int as estimated, extract(epoch from now() - c.oldest)::float8 as oldest_age
from unnest(array['pending', 'sending']) w (state) cross join lateral (
    select count(*) as count, least(min(m.created_at), (
        select s.created_at from mails s
        where w.state = 'pending' and s.state = 'pending' and s.last_cause = 'server'
            and (:project_id::text is null or s.project_id = :project_id)
        order by s.created_at limit 1
    )) as oldest
    from (
        select created_at from mails
        where state in ('pending', 'sending') and state = w.state
            and (:project_id::text is null or project_id = :project_id)
        order by due_at limit :most
    ) m
) c
where c.count > 0
union all
select w.state, c.count, c.count >= :most, null
from unnest(array['sent', 'failed', 'expired', 'cancelled', 'void', 'suppressed']) w (state) cross join lateral (
    select count(*) as count from (
        select from mails
        where state not in ('pending', 'sending') and state = w.state
            and (:project_id::text is null or project_id = :project_id)
        limit :most
    ) m
) c
where c.count > 0;

-- name: count_waiting(project_id, most) -> WaitingCount*
-- Pending mails by the cause of their wait; '' was not tried yet. Of the `most` that are due first.
select coalesce(last_cause, '') as cause, count(*) as count from (
    select last_cause from mails
    where state in ('pending', 'sending') and state = 'pending'
        and (:project_id::text is null or project_id = :project_id)
    order by due_at limit :most
) m group by last_cause;

-- name: count_outcomes(project_id, seconds) -> OutcomeCount*
-- `suspected`: no reply came after the final dot, so that the next attempt may have sent a second mail.
select name, count(*) as count,
    count(*) filter (where name = 'waits' and stage = 'dot' and coalesce(code, 0) = 0) as suspected
from mail_events
where at > now() - make_interval(secs => :seconds) and (:project_id::text is null or project_id = :project_id)
group by name;

-- name: count_by_server(project_id, seconds) -> ServerCount*
-- Recent outcomes of each mail server; `sent_ago` in seconds.
select server, count(*) filter (where name = 'sent') as sent, count(*) filter (where name = 'waits') as waits,
    count(*) filter (where name = 'failed') as failed,
    extract(epoch from now() - max(at) filter (where name = 'sent'))::float8 as sent_ago
from mail_events
where at > now() - make_interval(secs => :seconds) and server <> ''
    and (:project_id::text is null or project_id = :project_id)
group by server order by server;

-- name: list_own_mails(project_id, user_id, since, most, skipped) -> MemberMail*
-- `since` is the account's creation: the id may have been another user's before.
select m.id, m.letter, m.recipient, m.state, m.attempts, m.created_at,
    coalesce(m.ended_at, e.at, m.created_at) as changed_at, coalesce(e.stage, '') as stage, m.last_code, m.last_fault,
    coalesce(e.name, '') as last
from mails m left join lateral (
    select at, name, stage from mail_events where project_id = m.project_id and mail_id = m.id order by id desc limit 1
) e on true
where m.project_id = :project_id and m.user_id = :user_id and m.created_at >= :since and m.state <> 'void'
order by m.created_at desc, m.id desc limit :most offset :skipped;

-- name: count_own_mails(project_id, user_id, since)
select count(*) from mails
where project_id = :project_id and user_id = :user_id and created_at >= :since and state <> 'void';
