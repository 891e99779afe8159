-- name: find_project(id) -> Project?
select p.id, p.name, p.created_at, p.sender_name, p.sender_address, p.locale, p.verification_url,
    p.modern_by_default, p.reveal_unknown_users, p.plain_http, p.password_min, p.password_max,
    p.session_seconds, p.recovery_seconds, p.verification_seconds, p.magic_url_seconds, p.otp_seconds,
    p.session_limit, p.unverified_days, p.anonymous_days, p.end_warning_days, p.end_made_accounts,
    p.sign_up, p.sign_up_domains, p.test_domains, p.one_per_mailbox, p.verified_sign_in, p.partitioned_cookies,
    p.magic_links,
    p.limits, p.limits_dry_run, p.notify_new_device, p.private_signup,
    p.password_blocklist, p.password_personal_data, p.password_history, p.special_use_domains,
    p.mfa_factors, p.provider_mfa, p.provider_tokens, p.passkeys, p.rp_id, p.redirect_schemes,
    p.sms_countries, p.mock_phones,
    array(select hostname from platforms where project_id = p.id order by hostname) as hostnames,
    array(select app from apps where project_id = p.id order by app) as apps
from projects p where p.id = :id;

-- name: list_projects() -> Project*
select p.id, p.name, p.created_at, p.sender_name, p.sender_address, p.locale, p.verification_url,
    p.modern_by_default, p.reveal_unknown_users, p.plain_http, p.password_min, p.password_max,
    p.session_seconds, p.recovery_seconds, p.verification_seconds, p.magic_url_seconds, p.otp_seconds,
    p.session_limit, p.unverified_days, p.anonymous_days, p.end_warning_days, p.end_made_accounts,
    p.sign_up, p.sign_up_domains, p.test_domains, p.one_per_mailbox, p.verified_sign_in, p.partitioned_cookies,
    p.magic_links,
    p.limits, p.limits_dry_run, p.notify_new_device, p.private_signup,
    p.password_blocklist, p.password_personal_data, p.password_history, p.special_use_domains,
    p.mfa_factors, p.provider_mfa, p.provider_tokens, p.passkeys, p.rp_id, p.redirect_schemes,
    p.sms_countries, p.mock_phones,
    array(select hostname from platforms where project_id = p.id order by hostname) as hostnames,
    array(select app from apps where project_id = p.id order by app) as apps
from projects p order by p.id;

-- name: claim_project_id(id)
-- Until the end of the transaction no other creates a project whose id differs at most in capitals.
select pg_advisory_xact_lock(hashtext('projects'), hashtext(lower(:id)));

-- name: create_project(id, name)
-- Not if there is one whose id differs only in capitals: cookie names are in lower case and could not tell them apart.
insert into projects (id, name)
select :id, :name where not exists (select from projects where lower(id) = lower(:id::text));

-- name: list_alike_projects() -> Alike*
select array_agg(id order by id) as ids from projects group by lower(id) having count(*) > 1 order by lower(id);

-- name: change_project(id, changes)
-- The changes are one JSON object, its names those of the columns; what it leaves out stays. The row is locked before it
-- is read, or a change of another column at the same time would be taken back.
with former as (select p as row from projects p where p.id = :id for update)
update projects p set
    name = n.name, sender_name = n.sender_name, sender_address = n.sender_address, locale = n.locale,
    verification_url = n.verification_url, modern_by_default = n.modern_by_default,
    reveal_unknown_users = n.reveal_unknown_users, plain_http = n.plain_http,
    password_min = n.password_min, password_max = n.password_max, session_seconds = n.session_seconds,
    recovery_seconds = n.recovery_seconds, verification_seconds = n.verification_seconds,
    magic_url_seconds = n.magic_url_seconds, otp_seconds = n.otp_seconds,
    session_limit = n.session_limit, unverified_days = n.unverified_days, anonymous_days = n.anonymous_days,
    end_warning_days = n.end_warning_days, end_made_accounts = n.end_made_accounts,
    sign_up = n.sign_up, sign_up_domains = n.sign_up_domains,
    test_domains = n.test_domains, one_per_mailbox = n.one_per_mailbox,
    verified_sign_in = n.verified_sign_in, partitioned_cookies = n.partitioned_cookies,
    magic_links = n.magic_links,
    limits_dry_run = n.limits_dry_run, notify_new_device = n.notify_new_device, private_signup = n.private_signup,
    password_blocklist = n.password_blocklist, password_personal_data = n.password_personal_data,
    password_history = n.password_history, special_use_domains = n.special_use_domains,
    mfa_factors = n.mfa_factors, provider_mfa = n.provider_mfa, provider_tokens = n.provider_tokens,
    passkeys = n.passkeys, rp_id = n.rp_id, redirect_schemes = n.redirect_schemes,
    sms_countries = n.sms_countries, mock_phones = n.mock_phones
from former, jsonb_populate_record(former.row, :changes::jsonb) n
where p.id = :id;

-- name: set_limit(id, rule, added)
-- A rule's own numbers, under its name; null removes them.
update projects set limits = case when :added::jsonb is null then limits - :rule::text else limits || :added end
where id = :id;

-- name: add_platform(project_id, hostname)
insert into platforms (project_id, hostname) values (:project_id, :hostname) on conflict do nothing;

-- name: remove_platform(project_id, hostname)
delete from platforms where project_id = :project_id and hostname = :hostname;

-- name: add_app(project_id, app)
insert into apps (project_id, app) values (:project_id, :app) on conflict do nothing;

-- name: remove_app(project_id, app)
delete from apps where project_id = :project_id and app = :app;

-- name: create_api_key(project_id, id, name, secret_hash, scopes, days)
insert into api_keys (project_id, id, name, secret_hash, scopes, expires_at)
values (:project_id, :id, :name, :secret_hash, :scopes, now() + make_interval(days => :days));

-- name: list_api_keys(project_id) -> ApiKey*
select id, name, scopes, created_at, expires_at, (expires_at <= now()) is true as expired
from api_keys where project_id = :project_id order by created_at;

-- name: find_api_key(project_id, secret_hash) -> ApiKey?
select id, name, scopes, created_at, expires_at, (expires_at <= now()) is true as expired
from api_keys where project_id = :project_id and secret_hash = :secret_hash;

-- name: revoke_api_key(project_id, id)
delete from api_keys where project_id = :project_id and id = :id;
