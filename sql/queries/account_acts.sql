-- name: mail_token(windows, act, project_id, token_id, kind, requested_user_id, invitation_id, email, kid, seconds, mail_id, letter, locale, facts, message_id, event_id, event, ip, user_agent, traceparent) -> CountedToken
-- Token, mail and event of an address, whoever has it: the same rows for each. Without `event` there is none. With
-- `windows` the call is counted first, and no token is issued if one is full.
select (m.token).project_id, (m.token).id, (m.token).kind, (m.token).user_id, (m.token).asked_as as requested_user_id,
    (m.token).email, (m.token).email_version, (m.token).kid, (m.token).created_at, (m.token).expires_at, m.usages,
    m.counted_at, m.refused
from mail_token(:windows, :project_id, :act, :token_id, :kind, :requested_user_id, :invitation_id, :email, :kid, :seconds,
    :mail_id, :letter, :locale, :facts, :message_id, :event_id, :event, :ip, :user_agent, :traceparent) m;

-- name: mail_token_to_member(windows, act, project_id, user_id, session_id, email, refuse_verified, token_id, kind, requested_user_id, kid, seconds, mail_id, letter, locale, facts, message_id, event_id, event, ip, user_agent, traceparent) -> MemberToken?
-- No status if the session has ended. No token if the member was blocked, or the address changed or was proved meanwhile.
select (m.token).project_id, (m.token).id, (m.token).kind, (m.token).user_id, (m.token).asked_as as requested_user_id,
    (m.token).email, (m.token).email_version, (m.token).kid, (m.token).created_at, (m.token).expires_at, m.usages,
    m.counted_at, m.refused, m.status, m.known_address as address, m.verified
from mail_token_to_member(:windows, :project_id, :act, :user_id, :session_id, :email, :refuse_verified, :token_id, :kind,
    :requested_user_id, :kid, :seconds, :mail_id, :letter, :locale, :facts, :message_id, :event_id, :event, :ip,
    :user_agent, :traceparent) m;

-- name: create_account(act, project_id, id, email, name, password_hash, event_id, event, ip, user_agent, traceparent) -> User?
-- No row if the id or the address is taken, or the address is reserved. A new user has no targets.
select project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified, '[]' as targets
from create_account(:project_id, :act, :id, :email, :name, :password_hash, :event_id, :event, :ip, :user_agent,
    :traceparent);

-- name: sign_in(act, project_id, user_id, password_updated_at, earlier_hash, password_hash, id, secret_hash, ip, country_code, device, seconds, notice_id, kid, undo_seconds, mail_id, letter, locale, facts, message_id, event_id, event, user_agent, traceparent) -> SignedIn?
-- No row if the user was blocked, or another password was set, meanwhile: the same password hashed anew keeps its date.
-- Without `notice_id` no notice is owed.
select (s.opened).project_id, (s.opened).user_id, (s.opened).id, (s.opened).provider, (s.opened).provider_uid,
    (s.opened).ip, (s.opened).country_code, (s.opened).os_code, (s.opened).os_name, (s.opened).os_version,
    (s.opened).client_type, (s.opened).client_code, (s.opened).client_name, (s.opened).client_version,
    (s.opened).client_engine, (s.opened).client_engine_version, (s.opened).device_name, (s.opened).device_brand,
    (s.opened).device_model, (s.opened).created_at, (s.opened).updated_at, (s.opened).expires_at, (s.opened).factors,
    (s.opened).mfa_at, s.was_verified as email_verified
from sign_in(:project_id, :act, :user_id, :password_updated_at, :earlier_hash, :password_hash, :id, :secret_hash, :ip,
    :country_code, string_to_array(:device, E'\n'), :seconds, :notice_id, :kid, :undo_seconds, :mail_id, :letter, :locale,
    :facts, :message_id, :event_id, :event, :user_agent, :traceparent) s;

-- name: recover_account(act, project_id, user_id, token_id, password_hash, kept, notice_id, kid, undo_seconds, mail_id, letter, locale, facts, counts_passkeys, message_id, event_id, event, ip, user_agent, traceparent) -> Token?
-- No row if the token has been used or has expired, the address has changed since, or the user is blocked.
select project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at
from recover_account(:project_id, :act, :user_id, :token_id, :password_hash, :kept, :notice_id, :kid, :undo_seconds,
    :mail_id, :letter, :locale, :facts, :counts_passkeys, :message_id, :event_id, :event, :ip, :user_agent,
    :traceparent);
