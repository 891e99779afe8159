-- name: open_session(project_id, user_id, id, secret_hash, provider, provider_uid, ip, country_code, device, seconds) -> Session
insert into sessions (project_id, user_id, id, secret_hash, provider, provider_uid, ip, country_code,
    os_code, os_name, os_version, client_type, client_code, client_name, client_version, client_engine,
    client_engine_version, device_name, device_brand, device_model, expires_at)
select :project_id, :user_id, :id, :secret_hash, :provider, :provider_uid, :ip, :country_code,
    d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], now() + make_interval(secs => :seconds)
from (select :device::text[] as d) as device
returning project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at;

-- name: close_session(project_id, user_id, id)
delete from sessions where project_id = :project_id and user_id = :user_id and id = :id;

-- name: close_all_sessions(project_id, user_id)
delete from sessions where project_id = :project_id and user_id = :user_id;

-- name: find_session(project_id, user_id, id) -> Session?
select project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at
from sessions where project_id = :project_id and user_id = :user_id and id = :id and expires_at > now();

-- name: list_sessions(project_id, user_id) -> Session*
select project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at
from sessions where project_id = :project_id and user_id = :user_id and expires_at > now() order by created_at, id;

-- name: extend_session(project_id, user_id, id, seconds) -> Session?
update sessions set expires_at = now() + make_interval(secs => :seconds), updated_at = now()
where project_id = :project_id and user_id = :user_id and id = :id and expires_at > now()
returning project_id, user_id, id, provider, provider_uid, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version,
    device_name, device_brand, device_model, created_at, updated_at, expires_at;

-- name: close_other_sessions(project_id, user_id, kept)
delete from sessions where project_id = :project_id and user_id = :user_id and id <> :kept;

-- name: drop_expired_sessions()
delete from sessions where expires_at < now() - interval '1 day';
