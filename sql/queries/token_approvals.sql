-- name: approve_token(project_id, id)
-- Of any number of answers, right and wrong ones, the first counts.
update tokens set approved_at = now()
where project_id = :project_id and id = :id and kind = 'first_tab' and approved_at is null and expires_at > now();

-- name: end_unapproved_token(project_id, id)
delete from tokens
where project_id = :project_id and id = :id and kind = 'first_tab' and approved_at is null and expires_at > now();

-- name: find_approval(project_id, id, ends_at) -> Approval
-- One row whatever became of the token: who waits for it must not learn that from the time.
select count(*) filter (where approved_at is not null and expires_at > now()) > 0 as approved,
    now() >= :ends_at::timestamptz as over
from tokens where project_id = :project_id and id = :id and kind = 'first_tab';

-- name: find_approved_token(project_id, id) -> Token?
select project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at
from tokens
where project_id = :project_id and id = :id and kind = 'first_tab' and approved_at is not null and expires_at > now();
