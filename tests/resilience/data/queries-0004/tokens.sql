-- name: issue_token(project_id, id, kind, user_id, asked_as, email, email_version, kid, seconds) -> Token
insert into tokens (project_id, id, kind, user_id, asked_as, email, email_version, kid, expires_at)
values (:project_id, :id, :kind, :user_id, :asked_as, :email, :email_version, :kid, now() + make_interval(secs => :seconds))
returning project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at;

-- name: adopt_token(project_id, id, user_id, email_version) -> Token?
-- A worker has found whose address it is; once only.
update tokens set user_id = :user_id, email_version = :email_version
where project_id = :project_id and id = :id and user_id is null
returning project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at;

-- name: count_attempt(project_id, id, kind) -> Token?
-- Counted before anyone looks at the secret, in a transaction of its own, so that parallel guesses count too.
update tokens set attempts = attempts + 1
where project_id = :project_id and id = :id and kind = :kind and attempts < 5 and expires_at > now()
returning project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at;

-- name: count_code_attempts(project_id, asked_as) -> Token*
-- A code is too short to name its token: the guess counts for each one that it may be meant for.
update tokens set attempts = attempts + 1
where project_id = :project_id and asked_as = :asked_as and kind = 'otp' and attempts < 5 and expires_at > now()
returning project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at;

-- name: take_sign_in(project_id, id) -> Token?
-- One that belongs to an address and to no user yet: exactly one of any number at once gets it.
delete from tokens
where project_id = :project_id and id = :id and user_id is null and kind in ('magic_url', 'otp') and expires_at > now()
returning project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at;

-- name: take_token(project_id, id, user_id) -> Token?
-- With the user's row locked: of any number at once exactly one gets it, and only for the address it was mailed to.
delete from tokens t using users u
where t.project_id = :project_id and t.id = :id and t.user_id = :user_id and t.expires_at > now()
    and u.project_id = t.project_id and u.id = t.user_id
    and u.email = t.email and u.email_version = t.email_version
returning t.project_id, t.id, t.kind, t.user_id, t.asked_as, t.email, t.email_version, t.kid, t.created_at, t.expires_at;

-- name: drop_token(project_id, id)
delete from tokens where project_id = :project_id and id = :id;

-- name: kill_tokens(project_id, user_id, email)
-- The user's own, and those that were asked for by the user's address and are nobody's yet.
delete from tokens
where project_id = :project_id and (user_id = :user_id or (user_id is null and email = :email));

-- name: drop_expired_tokens()
-- Kept a day longer, so that a link's lateness can still be told from its never having been.
delete from tokens where expires_at < now() - interval '1 day';
