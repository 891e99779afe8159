-- name: count_attempt(windows, project_id, id, kinds, slot) -> CountedToken?
-- With `windows` the call is counted first, and no attempt if one is full. No read, which the pool would run again where
-- its answer is lost: that would count twice.
with a as materialized (select * from count_attempt(:windows, :project_id, :id, :kinds, :slot))
select (a.token).project_id, (a.token).id, (a.token).kind, (a.token).user_id, (a.token).asked_as as requested_user_id,
    (a.token).email, (a.token).email_version, (a.token).kid, (a.token).created_at, (a.token).expires_at, a.usages,
    a.counted_at, a.refused
from a;

-- name: find_live_token(project_id, id, kind) -> Token?
-- An approved link is that of the browser which asked for it alone.
select project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at
from tokens
where project_id = :project_id and id = :id and kind = :kind and attempts < 5 and expires_at > now()
    and approved_at is null;

-- name: count_code_attempts(project_id, requested_user_id, kind, length, guesses, most, slot) -> Token*
-- A code is too short to name its token: the guess counts for each token it may be meant for, the newest ones. With all
-- of them a client that requests codes for a thousand users under one id would guess a thousand times at once.
-- A secret of 32 hex digits or more can't be guessed: its token is written as well, and the guess does not count, so
-- that nobody who knows a user's id can use the user's tokens up.
with counted as (
    update tokens set attempts = attempts + case when secret_length >= 32 then 0 else 1 end
    where project_id = :project_id and attempts < :guesses and id in (
        select id from tokens
        where project_id = :project_id and asked_as = :requested_user_id and kind = :kind
            and (secret_length is null or secret_length = :length)
            and attempts < :guesses and expires_at > now()
        order by created_at desc, id desc limit :most
    )
    returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at
), missed as (
    insert into missed_guesses (project_id, slot, guesses)
    select :project_id, :slot, 1 where not exists (select from counted)
    on conflict (project_id, slot) do update set guesses = missed_guesses.guesses + 1
)
select project_id, id, kind, user_id, requested_user_id, email, email_version, kid, created_at, expires_at from counted;

-- name: refund_attempt(project_id, id)
update tokens set attempts = attempts - 1 where project_id = :project_id and id = :id and attempts > 0;
