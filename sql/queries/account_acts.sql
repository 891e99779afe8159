-- name: mail_token(act, project_id, token_id, kind, requested_user_id, email, kid, seconds, mail_id, letter, locale, facts, message_id, event_id, event, ip, user_agent, traceparent) -> Token
-- Token, mail and event of an address, whoever has it: the same rows for each.
with act as (
    insert into acts (project_id, id) values (:project_id, :act)
), token as (
    insert into tokens (project_id, id, kind, asked_as, email, kid, expires_at)
    values (:project_id, :token_id, :kind, :requested_user_id, :email, :kid, now() + make_interval(secs => :seconds))
    returning *
), mail as (
    insert into mails (project_id, id, letter, token_id, recipient, locale, facts, deadline_at, message_id,
        traceparent)
    select project_id, :mail_id::uuid, :letter, id, email, :locale, :facts::jsonb, expires_at, :message_id,
        :traceparent
    from token
), event as (
    insert into events (project_id, id, name, token_id, ready, ip, user_agent, traceparent)
    select project_id, :event_id::uuid, :event, id, false, :ip, :user_agent, :traceparent from token
)
select project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at
from token;

-- name: mail_token_to_member(act, project_id, user_id, session_id, email, refuse_verified, token_id, kind, requested_user_id, kid, seconds, mail_id, letter, locale, facts, message_id, event_id, event, ip, user_agent, traceparent) -> MemberToken?
-- No row if the session has ended. No token if the member was blocked, or the address changed or was proved meanwhile.
with member as (
    select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.status,
        u.status <> 'blocked' and u.email is not distinct from :email
            and not (u.email_verified and :refuse_verified::boolean) as fits
    from users u join sessions s on s.project_id = u.project_id and s.user_id = u.id
    where u.project_id = :project_id and u.id = :user_id and s.id = :session_id and s.expires_at > now()
    for update of u for key share of s
), token as (
    insert into tokens (project_id, id, kind, user_id, asked_as, email, email_version, kid, expires_at)
    select project_id, :token_id, :kind, id, :requested_user_id, email, email_version, :kid,
        now() + make_interval(secs => :seconds)
    from member where fits
    returning *
), mail as (
    insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id,
        traceparent)
    select project_id, :mail_id::uuid, :letter, user_id, id, email, :locale, :facts::jsonb, expires_at, :message_id,
        :traceparent
    from token
), event as (
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    select project_id, :event_id::uuid, :event, user_id, :ip, :user_agent, :traceparent from token
), act as (
    insert into acts (project_id, id) select project_id, :act::uuid from token
)
select m.status, m.email as address, m.email_verified as verified, t.project_id, t.id, t.kind, t.user_id,
    t.asked_as as requested_user_id, t.email, t.email_version, t.kid, t.created_at, t.expires_at
from member m left join token t on true;

-- name: create_account(act, project_id, id, email, name, password_hash, event_id, event, ip, user_agent, traceparent) -> User?
-- No row if the id or the address is taken, or the address is reserved.
with made as (
    select * from make_user(:project_id, array[:id::text], :email, false, :name, :password_hash)
), act as (
    insert into acts (project_id, id) select project_id, :act::uuid from made
), event as (
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    select project_id, :event_id::uuid, :event, id, :ip, :user_agent, :traceparent from made
)
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    targets_of(project_id, id, has_targets) as targets
from made;

-- name: sign_in(act, project_id, user_id, password_updated_at, earlier_hash, password_hash, id, secret_hash, ip, country_code, device, seconds, event_id, event, user_agent, traceparent) -> SignedIn?
-- The change locks the user's row. No row if the user was blocked, or another password was set, meanwhile: the same
-- password hashed anew keeps its date.
with holder as (
    update users set accessed_at = now(), password_hash = case
        when password_hash = :earlier_hash then coalesce(:password_hash, password_hash) else password_hash end
    where project_id = :project_id and id = :user_id and status <> 'blocked'
        and password_updated_at is not distinct from :password_updated_at
    returning project_id, id, email, email_verified
), session as (
    insert into sessions (project_id, user_id, id, secret_hash, provider, provider_uid, first_factor, factors, ip,
        country_code, os_code, os_name, os_version, client_type, client_code, client_name, client_version,
        client_engine, client_engine_version, device_name, device_brand, device_model, expires_at)
    select project_id, h.id, :id, :secret_hash, 'email', coalesce(email, ''), 'password', '{password}', :ip,
        :country_code, d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12],
        now() + make_interval(secs => :seconds)
    from holder h, (select :device::text[] as d) device, end_surplus_sessions(h.project_id, h.id)
    returning *
), act as (
    insert into acts (project_id, id) select project_id, :act::uuid from holder
), event as (
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    select project_id, :event_id::uuid, :event, id, :ip, :user_agent, :traceparent from holder
)
select s.project_id, s.user_id, s.id, s.provider, s.provider_uid, s.ip, s.country_code, s.os_code, s.os_name,
    s.os_version, s.client_type, s.client_code, s.client_name, s.client_version, s.client_engine,
    s.client_engine_version, s.device_name, s.device_brand, s.device_model, s.created_at, s.updated_at, s.expires_at,
    s.factors, s.mfa_at, h.email_verified
from session s, holder h;

-- name: recover_account(act, project_id, user_id, token_id, password_hash, kept, notice_id, kid, undo_seconds, mail_id, letter, locale, facts, counts_passkeys, message_id, event_id, event, ip, user_agent, traceparent) -> Token?
-- No row if the token has been used or has expired, the address has changed since, or the user is blocked. The functions
-- come after the lock, one by one: a session that was opened while this waited ends too.
with holder as (
    select * from users where project_id = :project_id and id = :user_id and status <> 'blocked' for update
), token as (
    delete from tokens t using holder h
    where t.project_id = :project_id and t.id = :token_id and t.user_id = h.id and t.expires_at > now()
        and t.email = h.email and t.email_version = h.email_version
    returning t.project_id, t.id, t.kind, t.user_id, t.asked_as as requested_user_id, t.email, t.email_version, t.kid,
        t.created_at, t.expires_at
), forgotten as (
    delete from password_history p using token t
    where p.project_id = :project_id and p.user_id = t.user_id and p.id not in (
        select id from password_history where project_id = :project_id and user_id = :user_id
        order by id desc limit greatest(:kept::int - 2, 0)
    )
), remembered as (
    insert into password_history (project_id, user_id, password_hash)
    select h.project_id, h.id, h.password_hash from holder h, token
    where :kept > 1 and h.password_hash is not null
), changed as (
    update users u set password_hash = :password_hash, password_updated_at = now(), updated_at = now(),
        email_verified = true, proved_by_holder = true
    from holder h, token
    where u.project_id = :project_id and u.id = h.id
    returning u.project_id, u.id, u.email, u.email_version, h.email_verified and h.proved_by_holder as was_proved,
        array_remove(array[h.email, case when h.phone_verified_at is not null then h.phone end], null) as addresses
), secured as (
    select c.*, case when not was_proved then remove_factors(project_id, id) end as removed from changed c
), ended as (
    select s.*, revoke_tokens(project_id, id, addresses) as revoked, end_sessions(project_id, id) as closed,
        case when :counts_passkeys::boolean then count_passkeys(project_id, id) else 0 end as passkeys
    from secured s
), notice as (
    insert into tokens (project_id, id, kind, user_id, email, email_version, kid, expires_at, proved_by_holder)
    select project_id, :notice_id, 'disavowal', id, email, email_version, :kid,
        now() + make_interval(secs => :undo_seconds), true
    from ended
    returning *
), mail as (
    insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id,
        traceparent)
    select n.project_id, :mail_id::uuid, :letter, n.user_id, n.id, n.email, :locale,
        :facts::jsonb || case when e.passkeys > 0 then jsonb_build_object('passkeys', e.passkeys) else '{}' end,
        n.expires_at, :message_id, :traceparent
    from notice n, ended e
), event as (
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    select project_id, :event_id::uuid, :event, id, :ip, :user_agent, :traceparent from ended
), act as (
    insert into acts (project_id, id) select project_id, :act::uuid from ended
)
select t.project_id, t.id, t.kind, t.user_id, t.requested_user_id, t.email, t.email_version, t.kid, t.created_at,
    t.expires_at
from token t, ended;
