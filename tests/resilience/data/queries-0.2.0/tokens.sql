-- name: issue_token(project_id, id, kind, user_id, requested_user_id, email, email_version, kid, seconds) -> Token
insert into tokens (project_id, id, kind, user_id, asked_as, email, email_version, kid, expires_at)
values (:project_id, :id, :kind, :user_id, :requested_user_id, :email, :email_version, :kid, now() + make_interval(secs => :seconds))
returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at;

-- name: adopt_token(project_id, id, user_id, email_version) -> Token?
-- A worker has found whose address it is; once only.
update tokens set user_id = :user_id, email_version = :email_version
where project_id = :project_id and id = :id and user_id is null
returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at;

-- name: count_attempt(project_id, id, kind) -> Token?
-- Counted before anyone looks at the secret, in a transaction of its own, so that parallel guesses count too.
-- A guess at nothing is one write as well: else the time of a commit would tell whether the link is still open.
with counted as (
    update tokens set attempts = attempts + 1
    where project_id = :project_id and id = :id and kind = :kind and attempts < 5 and expires_at > now()
    returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at
), missed as (
    update void_guesses set guesses = guesses + 1
    where slot = (select floor(random() * 1024)::int) and not exists (select from counted)
)
select project_id, id, kind, user_id, requested_user_id, email, email_version, kid, created_at, expires_at from counted;

-- name: count_code_attempts(project_id, requested_user_id) -> Token*
-- A code is too short to name its token: the guess counts for each one that it may be meant for, the newest three.
-- Were it all of them, who asks for codes for a thousand people under one id would guess a thousand times at once.
with counted as (
    update tokens set attempts = attempts + 1
    where project_id = :project_id and attempts < 5 and id in (
        select id from tokens
        where project_id = :project_id and asked_as = :requested_user_id and kind = 'otp' and attempts < 5 and expires_at > now()
        order by created_at desc, id desc limit 3
    )
    returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at
), missed as (
    update void_guesses set guesses = guesses + 1
    where slot = (select floor(random() * 1024)::int) and not exists (select from counted)
)
select project_id, id, kind, user_id, requested_user_id, email, email_version, kid, created_at, expires_at from counted;

-- name: forgive_attempt(project_id, id)
update tokens set attempts = attempts - 1 where project_id = :project_id and id = :id and attempts > 0;

-- name: take_by_address(project_id, id) -> Token?
-- One that belongs to an address and to no user yet: exactly one of any number at once gets it.
delete from tokens
where project_id = :project_id and id = :id and user_id is null and kind in ('magic_url', 'otp', 'verification')
    and expires_at > now()
returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at;

-- name: take_token(project_id, id, user_id) -> Token?
-- With the user's row locked: of any number at once exactly one gets it, and only for the address it was mailed to.
delete from tokens t using users u
where t.project_id = :project_id and t.id = :id and t.user_id = :user_id and t.expires_at > now()
    and u.project_id = t.project_id and u.id = t.user_id
    and u.email = t.email and u.email_version = t.email_version
returning t.project_id, t.id, t.kind, t.user_id, t.asked_as as requested_user_id, t.email, t.email_version, t.kid, t.created_at, t.expires_at;

-- name: take_disavowal(project_id, id, user_id) -> Token?
-- With the user's row locked. The address may have changed: that is what it was sent for.
delete from tokens
where project_id = :project_id and id = :id and user_id = :user_id and kind in ('disavowal', 'email_undo')
    and expires_at > now()
returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at;

-- name: drop_token(project_id, id)
delete from tokens where project_id = :project_id and id = :id;

-- name: kill_tokens(project_id, user_id, email)
-- The user's own; with an address those too that were asked for by it and are nobody's yet.
delete from tokens
where project_id = :project_id and kind not in ('disavowal', 'email_undo')
    and (user_id = :user_id or (user_id is null and email = :email));

-- name: kill_disavowals(project_id, user_id, since)
delete from tokens where project_id = :project_id and user_id = :user_id and kind in ('disavowal', 'email_undo')
    and (:since::timestamptz is null or created_at >= :since);

-- name: drop_expired_tokens()
-- Kept a day longer, so that a link's lateness can still be told from its never having been.
delete from tokens where expires_at < now() - interval '1 day';
