-- name: delete_earlier_registration(project_id, passkey_id, user_id)
-- The user's own, which is begun anew, or one of anybody that can't be finished any more.
delete from passkey_challenges
where project_id = :project_id and passkey_id = :passkey_id and (user_id = :user_id or expires_at <= now());

-- name: count_passkeys(project_id, user_id)
-- Those that are being made too.
select (select count(*) from passkeys where project_id = :project_id and user_id = :user_id and removed_at is null)
    + (select count(*) from passkey_challenges
        where project_id = :project_id and user_id = :user_id and expires_at > now());

-- name: begin_registration(project_id, id, challenge, rp_id, origins, user_id, session_id, passkey_id, name, seconds) -> PasskeyChallenge?
-- No row if another user is making a passkey with this id.
insert into passkey_challenges (project_id, id, challenge, rp_id, origins, user_id, session_id, passkey_id, name, expires_at)
values (:project_id, :id, :challenge, :rp_id, :origins, :user_id, :session_id, :passkey_id, :name,
    now() + make_interval(secs => :seconds))
on conflict do nothing
returning project_id, id, challenge, rp_id, origins, coalesce(passkey_id, '') as passkey_id, name, created_at, expires_at;

-- name: begin_sign_in(project_id, id, challenge, rp_id, origins, seconds, most) -> PasskeyChallenge?
-- Anybody may begin one, so their number is bounded.
insert into passkey_challenges (project_id, id, challenge, rp_id, origins, expires_at)
select :project_id, :id, :challenge, :rp_id, :origins, now() + make_interval(secs => :seconds)
where (
    select count(*) from (
        select from passkey_challenges
        where project_id = :project_id and passkey_id is null and used_at is null and expires_at > now()
        limit :most
    ) live
) < :most
returning project_id, id, challenge, rp_id, origins, coalesce(passkey_id, '') as passkey_id, name, created_at, expires_at;

-- name: has_registration(project_id, passkey_id, user_id)
-- A used or expired one too.
select exists (
    select from passkey_challenges
    where project_id = :project_id and passkey_id = :passkey_id and user_id = :user_id
);

-- name: use_registration(project_id, passkey_id, user_id, session_id) -> PasskeyChallenge?
-- Of any number of concurrent calls one gets it, and any answer uses it up.
update passkey_challenges set used_at = now()
where project_id = :project_id and passkey_id = :passkey_id and user_id = :user_id and session_id = :session_id
    and used_at is null and expires_at > now()
returning project_id, id, challenge, rp_id, origins, coalesce(passkey_id, '') as passkey_id, name, created_at, expires_at;

-- name: use_sign_in(project_id, id) -> PasskeyChallenge?
update passkey_challenges set used_at = now()
where project_id = :project_id and id = :id and passkey_id is null and used_at is null and expires_at > now()
returning project_id, id, challenge, rp_id, origins, coalesce(passkey_id, '') as passkey_id, name, created_at, expires_at;

-- name: finish_registration(project_id, id)
delete from passkey_challenges where project_id = :project_id and id = :id;

-- name: list_expired_passkey_challenges(most) -> ProjectRows*
select project_id, array_agg(id) as ids from (
    select project_id, id from passkey_challenges
    where expires_at < now()
    order by expires_at limit :most
) old group by project_id;

-- name: delete_expired_passkey_challenges(project_id, ids)
delete from passkey_challenges where project_id = :project_id and id in (
    select id from passkey_challenges
    where project_id = :project_id and id = any(:ids::text[]) and expires_at < now()
    for update skip locked
);
