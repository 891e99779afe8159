-- name: count_rows_of_user(project_id, user_id) -> OwnRows
-- What is deleted with the user's row.
select
    (select count(*) from users where project_id = :project_id and id = :user_id)::int as users,
    (select count(*) from sessions where project_id = :project_id and user_id = :user_id)::int as sessions,
    (select count(*) from identities where project_id = :project_id and user_id = :user_id)::int as identities,
    (select count(*) from passkeys where project_id = :project_id and user_id = :user_id)::int as passkeys,
    (select count(*) from authenticators where project_id = :project_id and user_id = :user_id)::int as authenticators,
    (select count(*) from targets where project_id = :project_id and user_id = :user_id)::int as targets;

-- name: scan_mails(project_id, user_id, recipients, after, most) -> Seen*
-- So many mails of the project behind one. A mail to the address that no user has asked for, or one who is gone, names the
-- person too.
select m.id, coalesce(m.user_id = :user_id::text, false) or (m.recipient = any(:recipients::text[]) and not exists (
    select from users u where u.project_id = :project_id and u.id = m.user_id
)) as names_person
from mails m where m.project_id = :project_id and m.id > :after::uuid order by m.id limit :most;

-- name: erase_mails(project_id, ids)
delete from mails where project_id = :project_id and id = any(:ids::uuid[]);

-- name: scan_sms(project_id, user_id, recipients, after, most) -> Seen*
select m.id, coalesce(m.user_id = :user_id::text, false) or (m.recipient = any(:recipients::text[]) and not exists (
    select from users u where u.project_id = :project_id and u.id = m.user_id
)) as names_person
from sms m where m.project_id = :project_id and m.id > :after::uuid order by m.id limit :most;

-- name: erase_sms(project_id, ids)
delete from sms where project_id = :project_id and id = any(:ids::uuid[]);

-- name: scan_tokens(project_id, user_id, recipients, after, most) -> SeenByText*
-- Those of the user, and those that were asked for by address or number and belong to nobody yet.
select id, true as names_person from tokens
where project_id = :project_id and id > :after::text
    and (user_id = :user_id::text or (user_id is null and email = any(:recipients::text[])))
order by id limit :most;

-- name: erase_tokens(project_id, ids)
delete from tokens where project_id = :project_id and id = any(:ids::text[]);

-- name: scan_test_accounts(project_id, user_id, recipients, after, most) -> SeenByText*
-- Of the person's addresses; not where such an address is another user's by now.
select t.email as id, not exists (
    select from users u where u.project_id = :project_id and u.email = t.email and u.id <> :user_id::text
) as names_person
from test_accounts t
where t.project_id = :project_id and t.email > :after::text and t.email = any(:recipients::text[])
order by t.email limit :most;

-- name: erase_test_accounts(project_id, ids)
delete from test_accounts where project_id = :project_id and email = any(:ids::text[]);

-- name: scan_invitations(project_id, user_id, recipients, after, most) -> SeenByText*
-- As of test accounts.
select i.id, not exists (
    select from users u where u.project_id = :project_id and u.email = i.email and u.id <> :user_id::text
) as names_person
from invitations i
where i.project_id = :project_id and i.id > :after::text and i.email = any(:recipients::text[])
order by i.id limit :most;

-- name: erase_invitations(project_id, ids)
delete from invitations where project_id = :project_id and id = any(:ids::text[]);

-- name: scan_events(project_id, user_id, after, most) -> Seen*
-- Those that no worker has filed. The event of the deletion stays: by it the feed tells other systems.
select id, coalesce(user_id = :user_id::text, false) and name <> 'users.delete' as names_person from events
where project_id = :project_id and id > :after::uuid order by id limit :most;

-- name: erase_events(project_id, ids)
delete from events where project_id = :project_id and id = any(:ids::uuid[]);

-- name: scan_feed(project_id, user_id, after, most) -> SeenInFeed*
select number as id, user_id = :user_id::text and name <> 'users.delete' as names_person from feed_events
where project_id = :project_id and number > :after::bigint order by number limit :most;

-- name: erase_feed(project_id, ids)
delete from feed_events where project_id = :project_id and number = any(:ids::bigint[]);

-- name: scan_logs(project_id, user_id, after, most) -> SeenInLog*
-- By time, with all entries of the last moment.
select id, true as names_person, at from logs
where project_id = :project_id and user_id = :user_id::text and at > :after::timestamptz and name <> 'users.delete'
order by at fetch first (:most::int) rows with ties;

-- name: scan_deliveries(project_id, user_id, endpoint_id, number, most) -> SeenDelivery*
-- Those that have ended; pending ones go out first, in their order.
select endpoint_id, number, user_id = :user_id::text and state <> 'pending' and type <> 'users.delete' as names_person
from webhook_deliveries
where project_id = :project_id and (endpoint_id, number) > (:endpoint_id::text, :number::bigint)
order by endpoint_id, number limit :most;

-- name: erase_deliveries(project_id, endpoint_ids, numbers)
delete from webhook_deliveries where project_id = :project_id and state <> 'pending'
    and (endpoint_id, number) in (select * from unnest(:endpoint_ids::text[], :numbers::bigint[]));
