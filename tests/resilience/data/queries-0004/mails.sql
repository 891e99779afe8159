-- name: post_mail(project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id)
insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id)
values (:project_id, :id, :letter, :user_id, :token_id, :recipient, :locale, :facts, :deadline_at, :message_id);

-- name: post_notice(project_id, id, letter, user_id, recipient, locale, facts, message_id)
-- Without a link there is nothing to expire; three days is how long it is worth trying.
insert into mails (project_id, id, letter, user_id, recipient, locale, facts, deadline_at, message_id)
values (:project_id, :id, :letter, :user_id, :recipient, :locale, :facts, now() + interval '3 days', :message_id);

-- name: claim_mail(id, worker, lease) -> Claim?
-- One worker gets it, with all that the letter needs; a lease that ran out is anyone's.
-- `attempts` is the fencing number: whoever claims later has a higher one.
with claimed as (
    update mails set state = 'sending', attempts = attempts + 1, lease_by = :worker,
        due_at = now() + make_interval(secs => :lease)
    where id = :id and state in ('pending', 'sending') and due_at <= now()
    returning *
)
select c.project_id, c.id, c.letter, c.recipient, c.locale, c.facts, c.attempts, c.message_id, c.token_id, c.last_fault,
    c.deadline_at <= now() as late, c.created_at,
    p.name as project_name, p.sender_name, p.sender_address, p.plain_http, p.verification_url,
    array(select hostname from platforms where project_id = c.project_id) as hostnames,
    t.kind, t.user_id as token_user_id, t.asked_as, t.email as token_email, t.email_version as token_email_version, t.kid,
    t.created_at as token_created_at, t.expires_at as token_expires_at,
    u.id as user_id, u.email_version, u.status as user_status
from claimed c join projects p on p.id = c.project_id
left join tokens t on t.project_id = c.project_id and t.id = c.token_id
left join users u on u.project_id = c.project_id and u.email = c.recipient;

-- name: own_mail(project_id, id, user_id)
update mails set user_id = :user_id where id = :id and project_id = :project_id;

-- name: holds_mail(project_id, id, attempts)
select 1 from mails where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts;

-- name: renew_mails(ids, worker, lease)
-- Its worker lives: nobody else may take it yet.
update mails set due_at = now() + make_interval(secs => :lease)
where id = any(:ids::uuid[]) and state = 'sending' and lease_by = :worker;

-- name: postpone_mail(project_id, id, attempts, seconds, code, fault)
-- Back to the queue; nothing if somebody else has claimed it since.
update mails set state = 'pending', lease_by = null, last_code = :code, last_fault = :fault,
    due_at = now() + make_interval(secs => :seconds)
where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts;

-- name: end_mail(project_id, id, attempts, state, code, fault)
update mails set state = :state, lease_by = null, last_code = :code, last_fault = :fault, ended_at = now()
where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts;

-- name: list_due_mails(seconds, most) -> Due*
-- Those whose bell was lost, whose wait is over, or whose worker died.
select id from mails where state in ('pending', 'sending') and due_at < now() - make_interval(secs => :seconds)
order by due_at limit :most;

-- name: free_mails_of(worker)
-- A worker that starts again under its name takes back at once what it held when it died.
update mails set due_at = now() where state = 'sending' and lease_by = :worker and due_at > now();

-- name: cancel_mails_of(project_id, user_id)
-- A worker that is about to send one asks once more whether it still may.
update mails set state = 'cancelled', lease_by = null, last_fault = 'its account was deleted', ended_at = now()
where project_id = :project_id and user_id = :user_id and state in ('pending', 'sending');

-- name: drop_ended_mails(days)
-- What was sent or given up is kept for questions, then forgotten: it holds an address.
delete from mails where state not in ('pending', 'sending') and ended_at < now() - make_interval(days => :days);
