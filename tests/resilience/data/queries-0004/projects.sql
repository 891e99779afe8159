-- name: find_project(id) -> Project?
select p.id, p.name, p.created_at, p.sender_name, p.sender_address, p.locale, p.verification_url,
    p.modern_by_default, p.reveal_unknown_users, p.plain_http, p.password_min, p.password_max,
    p.session_seconds, p.recovery_seconds, p.verification_seconds, p.magic_url_seconds, p.otp_seconds,
    array(select hostname from platforms where project_id = p.id order by hostname) as hostnames
from projects p where p.id = :id;

-- name: list_projects() -> Project*
select p.id, p.name, p.created_at, p.sender_name, p.sender_address, p.locale, p.verification_url,
    p.modern_by_default, p.reveal_unknown_users, p.plain_http, p.password_min, p.password_max,
    p.session_seconds, p.recovery_seconds, p.verification_seconds, p.magic_url_seconds, p.otp_seconds,
    array(select hostname from platforms where project_id = p.id order by hostname) as hostnames
from projects p order by p.id;

-- name: create_project(id, name)
insert into projects (id, name) values (:id, :name);

-- name: change_project(id, changes)
-- The changes are one JSON object, its names those of the columns; what it leaves out stays.
update projects p set
    name = n.name, sender_name = n.sender_name, sender_address = n.sender_address, locale = n.locale,
    verification_url = n.verification_url, modern_by_default = n.modern_by_default,
    reveal_unknown_users = n.reveal_unknown_users, plain_http = n.plain_http,
    password_min = n.password_min, password_max = n.password_max, session_seconds = n.session_seconds,
    recovery_seconds = n.recovery_seconds, verification_seconds = n.verification_seconds,
    magic_url_seconds = n.magic_url_seconds, otp_seconds = n.otp_seconds
from projects o, jsonb_populate_record(o, :changes::jsonb) n
where p.id = :id and o.id = p.id;

-- name: add_platform(project_id, hostname)
insert into platforms (project_id, hostname) values (:project_id, :hostname) on conflict do nothing;

-- name: remove_platform(project_id, hostname)
delete from platforms where project_id = :project_id and hostname = :hostname;

-- name: create_api_key(project_id, id, name, secret_hash, scopes, expires_at)
insert into api_keys (project_id, id, name, secret_hash, scopes, expires_at)
values (:project_id, :id, :name, :secret_hash, :scopes, :expires_at);

-- name: list_api_keys(project_id) -> ApiKey*
select id, name, scopes, created_at, expires_at, (expires_at <= now()) is true as expired
from api_keys where project_id = :project_id order by created_at;

-- name: find_api_key(project_id, secret_hash) -> ApiKey?
select id, name, scopes, created_at, expires_at, (expires_at <= now()) is true as expired
from api_keys where project_id = :project_id and secret_hash = :secret_hash;

-- name: revoke_api_key(project_id, id)
delete from api_keys where project_id = :project_id and id = :id;
