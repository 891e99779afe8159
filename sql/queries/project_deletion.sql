-- name: count_rows(project_id, most) -> Extent
-- Users, keys and owed mails of a project, counted no further than `most`.
select
    (select count(*) from (select from users where project_id = :project_id limit :most) u)::int as users,
    (select count(*) from (select from api_keys where project_id = :project_id limit :most) k)::int as keys,
    (select count(*) from (
        select from mails where project_id = :project_id and state in ('pending', 'sending') limit :most
    ) m)::int as owed_mails;

-- name: delete_mails(project_id, most)
delete from mails where (id, project_id) in (
    select id, project_id from mails where project_id = :project_id limit :most
);

-- name: delete_sms(project_id, most)
delete from sms where (id, project_id) in (
    select id, project_id from sms where project_id = :project_id limit :most
);

-- name: delete_tokens(project_id, most)
delete from tokens where (project_id, id) in (
    select project_id, id from tokens where project_id = :project_id limit :most
);

-- name: delete_sessions(project_id, most)
delete from sessions where (project_id, user_id, id) in (
    select project_id, user_id, id from sessions where project_id = :project_id limit :most
);

-- name: delete_users(project_id, most)
-- With the sessions that they have begun since all were deleted.
delete from users where (project_id, id) in (
    select project_id, id from users where project_id = :project_id limit :most
);

-- name: delete_events(project_id, most)
delete from events where (id, project_id) in (
    select id, project_id from events where project_id = :project_id limit :most
);

-- name: delete_feed_events(project_id, most)
delete from feed_events where (project_id, number) in (
    select project_id, number from feed_events where project_id = :project_id limit :most
);

-- name: delete_webhook_lanes(project_id, most)
delete from webhook_lanes where (project_id, endpoint_id, user_id) in (
    select project_id, endpoint_id, user_id from webhook_lanes where project_id = :project_id limit :most
);

-- name: delete_webhook_deliveries_of_project(project_id, most)
delete from webhook_deliveries where (project_id, endpoint_id, number) in (
    select project_id, endpoint_id, number from webhook_deliveries where project_id = :project_id limit :most
);

-- name: delete_logs(project_id, most)
delete from logs where (project_id, id, at) in (
    select project_id, id, at from logs where project_id = :project_id limit :most
);

-- name: delete_suppressions(project_id, most)
delete from suppressions where (project_id, address_hash) in (
    select project_id, address_hash from suppressions where project_id = :project_id limit :most
);

-- name: delete_missed_guesses(project_id)
delete from missed_guesses where project_id = :project_id;

-- name: delete_log_checkpoints(project_id, most)
delete from log_checkpoints where (project_id, month, number) in (
    select project_id, month, number from log_checkpoints where project_id = :project_id limit :most
);

-- name: delete_log_chains(project_id, most)
delete from log_chains where (project_id, month) in (
    select project_id, month from log_chains where project_id = :project_id limit :most
);

-- name: delete_test_accounts(project_id, most)
delete from test_accounts where (project_id, email) in (
    select project_id, email from test_accounts where project_id = :project_id limit :most
);

-- name: delete_invitations(project_id, most)
delete from invitations where (project_id, id) in (
    select project_id, id from invitations where project_id = :project_id limit :most
);

-- name: delete_project(project_id)
-- With its platforms, apps, keys and branding; refused while it has users, tokens or mails.
delete from projects where id = :project_id;
