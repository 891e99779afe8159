-- name: enqueue_mail(project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id, traceparent)
-- A letter without a link has no expiry of its own; it is tried for three days.
insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id, traceparent)
values (:project_id, :id, :letter, :user_id, :token_id, :recipient, :locale, :facts,
    coalesce(:deadline_at, now() + interval '3 days'), :message_id, :traceparent);

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

-- name: list_projects_of_mails(ids) -> ProjectRows*
select project_id, array_agg(id) as ids from mails where id = any(:ids::uuid[]) group by project_id;

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

-- name: estimate_mails(state, project_id)
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
