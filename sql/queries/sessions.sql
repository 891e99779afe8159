-- name: open_session(project_id, user_id, id, secret_hash, provider, provider_uid, first_factor, factors, assurance, identity_id, country_code, device, seconds, event_id, event, ip, user_agent, traceparent) -> Session
-- With the user's row locked. Of more sessions than the project allows the oldest end. A passkey counts as a challenge
-- that was passed. What the app's server opens is no access by the user.
with gone as (
    delete from sessions where project_id = :project_id and user_id = :user_id and id <= (
        select id from sessions where project_id = :project_id and user_id = :user_id
        order by id desc offset (select session_limit - 1 from projects where id = :project_id) limit 1
    )
), accessed as (
    update users set accessed_at = now()
    where project_id = :project_id and id = :user_id and :first_factor::text <> 'server'
), event as (
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    select :project_id, :event_id::uuid, :event::text, :user_id, :ip, :user_agent, :traceparent
    where :event::text is not null
)
insert into sessions (project_id, user_id, id, secret_hash, provider, provider_uid, first_factor, factors, assurance,
    mfa_at, identity_id, ip, country_code,
    os_code, os_name, os_version, client_type, client_code, client_name, client_version, client_engine,
    client_engine_version, device_name, device_brand, device_model, expires_at)
select :project_id, :user_id, :id, :secret_hash, :provider, :provider_uid, :first_factor::text, :factors, :assurance,
    case when :first_factor::text = 'passkey' then now() end, :identity_id, :ip, :country_code,
    d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], now() + make_interval(secs => :seconds)
from (select string_to_array(:device, E'\n') as d) as device
returning project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at, factors, mfa_at;

-- name: delete_session(project_id, user_id, id)
delete from sessions where project_id = :project_id and user_id = :user_id and id = :id;

-- name: delete_all_sessions(project_id, user_id)
delete from sessions where project_id = :project_id and user_id = :user_id;

-- name: find_session(project_id, user_id, id) -> Session?
select project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at, factors, mfa_at
from sessions where project_id = :project_id and user_id = :user_id and id = :id and expires_at > now();

-- name: find_lasting_session(project_id, user_id, seconds) -> Session?
select project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at, factors, mfa_at
from sessions
where project_id = :project_id and user_id = :user_id and expires_at >= now() + make_interval(secs => :seconds)
order by created_at desc, id desc limit 1;

-- name: list_sessions(project_id, user_id, after, before, most, skipped) -> Session*
-- Oldest first, or newest first those before one; ids grow with time.
select project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at, factors, mfa_at
from (
    (select * from sessions
    where :before::text is null and project_id = :project_id and user_id = :user_id and expires_at > now()
        and (:after::text is null or id > :after)
    order by id limit :most offset :skipped)
    union all
    (select * from sessions
    where project_id = :project_id and user_id = :user_id and expires_at > now() and id < :before::text
    order by id desc limit :most offset :skipped)
) s
order by id;

-- name: count_sessions(project_id, user_id, most)
select count(*)::int from (
    select from sessions where project_id = :project_id and user_id = :user_id and expires_at > now() limit :most
) s;

-- name: extend_session(project_id, user_id, id, seconds) -> Session?
update sessions set expires_at = now() + make_interval(secs => :seconds), updated_at = now()
where project_id = :project_id and user_id = :user_id and id = :id and expires_at > now()
returning project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at, factors, mfa_at;

-- name: record_second_proof(project_id, user_id, id, factor, assurance) -> Session?
-- Each factor is shown once, behind the first proof, which older rows have in their provider only.
update sessions set assurance = greatest(assurance, :assurance), mfa_at = now(), updated_at = now(), factors = case
    when :factor::text = any(factors) then factors
    when factors = '{}' then array[
        case provider when 'email' then 'password' when 'anonymous' then 'anonymous' else 'email' end, :factor
    ]
    else factors || :factor end
where project_id = :project_id and user_id = :user_id and id = :id and expires_at > now()
returning project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at, factors, mfa_at;

-- name: raise_assurance(project_id, user_id, id)
update sessions set assurance = 2 where project_id = :project_id and user_id = :user_id and id = :id;

-- name: delete_other_sessions(project_id, user_id, kept)
delete from sessions where project_id = :project_id and user_id = :user_id and id <> :kept;

-- name: list_expired_sessions(most) -> UserRows*
-- Like all tidying a batch at a time by an index: first which rows, then those of each project, past what another
-- transaction holds.
select project_id, array_agg(user_id) as user_ids, array_agg(id) as ids from (
    select project_id, user_id, id from sessions
    where expires_at < now() - interval '1 day'
    order by expires_at limit :most
) old group by project_id;

-- name: delete_expired_sessions(project_id, user_ids, ids)
delete from sessions where project_id = :project_id and (user_id, id) in (
    select user_id, id from sessions
    where project_id = :project_id and (user_id, id) in (select * from unnest(:user_ids::text[], :ids::text[]))
        and expires_at < now() - interval '1 day'
    for update skip locked
);
