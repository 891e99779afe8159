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

-- name: count_challenge_attempt(project_id, id, user_id, session_id, slot) -> Challenge?
-- Counted before the answer is compared, in a transaction of its own, so that parallel guesses count too. A guess at no
-- challenge of this session is one write as well.
with counted as (
    update challenges set attempts = attempts + 1
    where project_id = :project_id and id = :id and user_id = :user_id and session_id = :session_id
        and attempts < 5 and expires_at > now()
    returning project_id, id, user_id, session_id, factor, kid, created_at, expires_at
), missed as (
    insert into missed_guesses (project_id, slot, guesses)
    select :project_id, :slot, 1 where not exists (select from counted)
    on conflict (project_id, slot) do update set guesses = missed_guesses.guesses + 1
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

-- name: list_expired_challenges(most) -> ProjectRows*
select project_id, array_agg(id) as ids from (
    select project_id, id from challenges
    where expires_at < now()
    order by expires_at limit :most
) old group by project_id;

-- name: delete_expired_challenges(project_id, ids)
delete from challenges where project_id = :project_id and id in (
    select id from challenges
    where project_id = :project_id and id = any(:ids::text[]) and expires_at < now()
    for update skip locked
);
