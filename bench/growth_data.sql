-- Rows of a project as it is after two years: `growth.users` users, two sessions each, half a mail, ten rows of the
-- security log, one of the feed, delivered by webhook; some with a number, a device, an identity, a passkey, an authenticator app. One user has
-- 10,000 sessions and 20,000 log entries. Run as superuser: without triggers and foreign keys.
set session_replication_role = replica;

do $$
declare
    month date;
begin
    for back in 1..11 loop
        month := date_trunc('month', now())::date - make_interval(months => back);
        execute format('create table %I partition of logs for values from (%L) to (%L)', 'logs_' || to_char(month, 'YYYYMM'),
            month, (month + interval '1 month')::date);
    end loop;
end $$;

insert into users (project_id, id, email, email_verified, name, password_hash, status, labels, created_at, updated_at,
    accessed_at, phone, phone_verified_at, has_targets)
select 'bench', left(md5('u' || n), 20), 'user' || n || '@mail' || n % 2000 || '.example', n % 3 > 0,
    initcap(left(md5('f' || n % 5000), 6)) || ' ' || initcap(left(md5('l' || n % 90000), 8)),
    '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$none', case when n % 500 = 0 then 'blocked' else 'active' end,
    case when n % 1000 = 0 then array['vip'] when n > 0.95 * current_setting('growth.users')::float8 then array['new']
        when n % 3 = 0 then array['free'] else '{}' end, at, at,
    at + (now() - at) * random(), case when n % 10 = 0 then '+49151' || lpad(n::text, 8, '0') end,
    -- Numbers have been proved for a short time.
    case when n % 10 = 0 and n > 0.95 * current_setting('growth.users')::float8 then at end, n % 10 = 3
from (
    select n, now() - interval '730 days' * (1 - n / current_setting('growth.users')::float8) as at
    from generate_series(1, current_setting('growth.users')::int) n
) u;

insert into user_texts (project_id, id, email, phone, name)
select project_id, id, email, phone, lower(name) from users;

insert into sessions (project_id, user_id, id, secret_hash, provider, ip, country_code, os_code, os_name, os_version,
    client_type, client_code, client_name, client_version, client_engine, client_engine_version, device_name,
    device_brand, device_model, created_at, expires_at)
select 'bench', left(md5('u' || owner), 20), lpad(to_hex(n), 20, '0'), sha256(n::text::bytea), 'email', '192.0.2.1',
    'de', 'LIN', 'GNU/Linux', '', 'browser', 'FF', 'Firefox', '130.0', 'Gecko', '130.0', 'desktop', '', '',
    now() - interval '300 days' * random(),
    -- One in twenty has expired and waits for the tidying.
    now() + case when n % 20 = 0 then interval '-3 days' else interval '60 days' end
from (
    select n, case when n <= least(10000, current_setting('growth.users')::int / 2) then 1 else 1 + n / 2 end as owner
    from generate_series(1, 2 * current_setting('growth.users')::int - 2) n
) s;

insert into mails (project_id, id, letter, user_id, recipient, locale, state, attempts, due_at, deadline_at,
    message_id, created_at, ended_at)
select 'bench', (left(uuid_at(at)::text, 14) || '7' || substr(md5('m' || n), 1, 3) || '-8' || substr(md5('m' || n), 4, 3)
        || '-' || substr(md5('m' || n), 7, 12))::uuid,
    case when n % 1000 = 0 then 'otp' else 'recovery' end, left(md5('u' || 2 * n), 20), 'someone@example.com', 'en',
    state, 1, at, at + interval '1 hour', n || '@bench', at, case when state <> 'pending' then at end
from (
    select n, now() - interval '31 days' * (1 - n / (current_setting('growth.users')::float8 / 2)) as at,
        case when n > current_setting('growth.users')::int / 2 - 2000 then 'pending' when n % 200 = 0 then 'failed'
            when n % 50 = 0 then 'void' else 'sent' end as state
    from generate_series(1, current_setting('growth.users')::int / 2) n
) m;

insert into mail_events (project_id, mail_id, name, attempt, worker, server, stage, code, at)
select project_id, id, state, 1, 'web-1', 'relay.example.com:587', 'dot', 250, ended_at from mails
where state <> 'pending';

-- Every hundredth came back.
insert into mail_events (project_id, mail_id, name, attempt, stage, fault, at)
select project_id, id, 'bounced', 1, 'dsn', '5.1.1', ended_at + interval '1 minute' from (
    select *, row_number() over () as n from mails where state = 'sent'
) m where n % 100 = 0;

insert into logs (project_id, id, user_id, name, ip, at, country_code, os_code, os_name, os_version, client_type,
    client_code, client_name, client_version, client_engine, client_engine_version, device_name, device_brand,
    device_model)
select 'bench', gen_random_uuid(),
    left(md5('u' || case when n <= least(20000, current_setting('growth.users')::int) then 1 else 1 + n / 10 end), 20),
    'session.create', '192.0.2.1', now() - interval '330 days' * random(), 'de', 'LIN', 'GNU/Linux', '', 'browser',
    'FF', 'Firefox', '130.0', 'Gecko', '130.0', 'desktop', '', ''
from generate_series(1, 10 * current_setting('growth.users')::int - 10) n;

insert into tokens (project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at)
select 'bench', left(md5('t' || n), 20), 'recovery', left(md5('u' || n), 20), left(md5('u' || n), 20),
    'user' || n || '@mail' || n % 2000 || '.example', 1, 'bench', now(),
    now() + case when n % 2 = 0 then interval '1 hour' else interval '-2 days' end
from generate_series(1, current_setting('growth.users')::int / 20) n;

insert into identities (project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, created_at)
select 'bench', left(md5('u' || n), 20), left(md5('i' || n), 20), case when n % 8 = 0 then 'apple' else 'google' end,
    'https://issuer.example', md5('s' || n), 'user' || n || '@mail' || n % 2000 || '.example', true, 'bench',
    decode(repeat('00', 300), 'hex'), now() - interval '730 days' * (1 - n / current_setting('growth.users')::float8)
from generate_series(4, current_setting('growth.users')::int, 4) n;

insert into targets (project_id, user_id, id, provider_type, identifier)
select 'bench', left(md5('u' || n), 20), left(md5('d' || n), 20), 'push', md5('d' || n) || md5('e' || n)
from generate_series(3, current_setting('growth.users')::int, 10) n;

insert into passkeys (project_id, id, user_id, name, credential_id, credential_hash, public_key, algorithm,
    backup_eligible, backed_up, sign_count, transports, aaguid)
select 'bench', left(md5('p' || n), 20), left(md5('u' || n), 20), 'Phone', sha256(n::text::bytea),
    sha256(sha256(n::text::bytea)), decode(repeat('00', 77), 'hex'), -7, true, true, 0, '{internal}', ''
from generate_series(20, current_setting('growth.users')::int, 20) n;

insert into authenticators (project_id, user_id, id, kid, sealed, verified_at)
select 'bench', left(md5('u' || n), 20), left(md5('a' || n), 20), 'bench', decode(repeat('00', 60), 'hex'), now()
from generate_series(50, current_setting('growth.users')::int, 50) n;

insert into sms (project_id, id, kind, user_id, token_id, recipient, locale, state, attempts, sends, due_at, deadline_at,
    created_at, ended_at, used_at)
select 'bench', (left(uuid_at(at)::text, 14) || '7' || substr(md5('m' || n), 1, 3) || '-8' || substr(md5('m' || n), 4, 3)
        || '-' || substr(md5('m' || n), 7, 12))::uuid,
    'phone_login', left(md5('u' || 10 * n), 20), left(md5('t' || n), 20), '+49151' || lpad((10 * n)::text, 8, '0'), 'en',
    'sent', 1, 1, at, at + interval '15 minutes', at, at, case when n % 10 > 0 then at end
from (
    select n, now() - interval '31 days' * (1 - n / (current_setting('growth.users')::float8 / 20)) as at
    from generate_series(1, current_setting('growth.users')::int / 20) n
) s;

insert into event_feeds (project_id, last_number) values ('bench', current_setting('growth.users')::int);

insert into feed_events (project_id, number, id, name, user_id, at, filed_at)
select 'bench', n, gen_random_uuid(), 'session.create', left(md5('u' || n), 20), at, at
from (
    select n, now() - interval '31 days' * (1 - n / current_setting('growth.users')::float8) as at
    from generate_series(1, current_setting('growth.users')::int) n
) f;

insert into webhook_endpoints (project_id, id, url) values ('bench', 'hook', 'https://hooks.example');

insert into webhook_deliveries (project_id, endpoint_id, number, event_id, type, user_id, at, state, attempts, ended_at)
select project_id, 'hook', number, id, name, user_id, at, state, 1, case when state <> 'pending' then at end
from (
    select *, case when number > current_setting('growth.users')::int - 1000 then 'pending'
        when number % 500 = 0 then 'failed' else 'delivered' end as state
    from feed_events
) e;

insert into webhook_lanes (project_id, endpoint_id, user_id, pending)
select project_id, endpoint_id, user_id, 1 from webhook_deliveries where state = 'pending';

insert into suppressions (project_id, address_hash, cause, until)
select 'bench', sha256(n::text::bytea), 'bounced', now() + case when n % 10 = 0 then interval '-1 day' else '30 days' end
from generate_series(100, current_setting('growth.users')::int, 100) n;

insert into dkim_keys (project_id, selector, domain, algorithm, state, public_key, kid, sealed, activated_at)
select 'bench', 's' || n, 'bench.example', case when n % 2 = 0 then 'rsa' else 'ed25519' end,
    case when n > 10 then 'active' else 'former' end, repeat('x', 392), 'bench', decode(repeat('00', 1250), 'hex'), now()
from generate_series(1, 12) n;

insert into log_chains (project_id, month, number, hash, signed_number, signed_at)
select 'bench', to_char(now() - interval '1 month' * n, 'YYYY-MM'), current_setting('growth.users')::int,
    sha256(n::text::bytea), current_setting('growth.users')::int, now() - interval '1 month' * n
from generate_series(0, 11) n;

-- One a day.
insert into log_checkpoints (project_id, month, number, hash, at, kid, signature)
select project_id, month, number - day, sha256((month || day)::bytea), signed_at - interval '1 day' * day, 'bench',
    decode(repeat('00', 64), 'hex')
from log_chains cross join generate_series(0, 29) day where project_id = 'bench';

insert into test_accounts (project_id, email, code_hash, expires_at)
select 'bench', 'review' || n || '@example.com', sha256(n::text::bytea), now() + interval '30 days'
from generate_series(1, 20) n;

insert into invitations (project_id, id, email, code_hash, note, most_uses, expires_at)
select 'bench', left(md5('i' || n), 20), case when n % 2 = 0 then 'invited' || n || '@example.com' end,
    case when n % 2 = 1 then sha256(n::text::bytea) end, '', 1,
    now() + case when n % 10 = 0 then interval '-31 days' else '7 days' end
from generate_series(100, current_setting('growth.users')::int, 100) n;

set session_replication_role = origin;
