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
