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

-- name: release_mails(ids, worker)
-- Claims whose answer a worker never got, so that nothing was sent; the attempt is counted all the same.
update mails set state = 'pending', lease_by = null, due_at = now()
where id = any(:ids::uuid[]) and state = 'sending' and lease_by = :worker;

-- name: release_all_mails(worker, kept)
-- Mails that a stopping worker has claimed and not sent, so that they need not wait for its leases.
update mails set state = 'pending', lease_by = null, due_at = now()
where state = 'sending' and lease_by = :worker and not id = any(:kept::uuid[]);
