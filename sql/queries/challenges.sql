-- name: create_challenge(project_id, id, user_id, session_id, factor, kid, seconds) -> Challenge
insert into challenges (project_id, id, user_id, session_id, factor, kid, expires_at)
values (:project_id, :id, :user_id, :session_id, :factor, :kid, now() + make_interval(secs => :seconds))
returning project_id, id, user_id, session_id, factor, kid, created_at, expires_at;

-- name: delete_surplus_challenges(project_id, user_id, session_id, factor, most)
-- The newest stay.
delete from challenges c
where c.project_id = :project_id and c.user_id = :user_id and c.session_id = :session_id and c.factor = :factor
    and c.id not in (
        select id from challenges
        where project_id = :project_id and user_id = :user_id and session_id = :session_id and factor = :factor
        order by created_at desc, id desc limit :most
    );

-- name: count_challenge_attempt(project_id, id, user_id, session_id) -> Challenge?
-- Counted before the answer is compared, in a transaction of its own, so that parallel guesses count too. A guess at no
-- challenge of this session is one write as well.
with counted as (
    update challenges set attempts = attempts + 1
    where project_id = :project_id and id = :id and user_id = :user_id and session_id = :session_id
        and attempts < 5 and expires_at > now()
    returning project_id, id, user_id, session_id, factor, kid, created_at, expires_at
), missed as (
    update void_guesses set guesses = guesses + 1
    where slot = (select floor(random() * 1024)::int) and not exists (select from counted)
)
select project_id, id, user_id, session_id, factor, kid, created_at, expires_at from counted;

-- name: redeem_challenge(project_id, id)
-- Of any number of concurrent calls one gets it.
delete from challenges where project_id = :project_id and id = :id and expires_at > now();

-- name: read_challenge(project_id, id, user_id) -> Challenge?
-- For the app's own server, once a minute.
update challenges set read_at = now()
where project_id = :project_id and id = :id and user_id = :user_id and factor = 'custom' and expires_at > now()
    and (read_at is null or read_at < now() - interval '60 s')
returning project_id, id, user_id, session_id, factor, kid, created_at, expires_at;

-- name: delete_expired_challenges(most)
delete from challenges where (project_id, id) in (
    select project_id, id from challenges where expires_at < now() order by expires_at limit :most for update skip locked
);
