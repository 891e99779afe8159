-- name: issue_token(project_id, id, kind, user_id, requested_user_id, email, email_version, kid, seconds, secret_length) -> Token
-- A notice's link keeps who had proved its address: later the account may tell of another one. Its address is the
-- user's and proved, or the one that the user has just left for one that is not proved yet.
insert into tokens (project_id, id, kind, user_id, asked_as, email, email_version, kid, expires_at, secret_length,
    proved_by_holder)
select :project_id, :id, :kind, :user_id, :requested_user_id, :email, :email_version::int, :kid,
    now() + make_interval(secs => :seconds), :secret_length::int,
    case when :kind in ('disavowal', 'email_undo') then exists (
        select from users u
        where u.project_id = :project_id and u.id = :user_id and u.proved_by_holder
            and u.email_version = :email_version + case when u.email_verified then 0 else 1 end
    ) end
returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at;

-- name: assign_token_user(project_id, id, user_id, email_version) -> Token?
-- Assigns the user of the address, once only.
update tokens set user_id = :user_id, email_version = :email_version
where project_id = :project_id and id = :id and user_id is null
returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at;

-- name: redeem_token_by_address(project_id, id) -> Token?
-- A token of an address without a user yet: exactly one of any number of concurrent calls gets it.
delete from tokens
where project_id = :project_id and id = :id and user_id is null and expires_at > now()
    and (kind in ('magic_url', 'otp', 'phone_login', 'verification') or (kind = 'first_tab' and approved_at is not null))
returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at, expires_at;

-- name: redeem_token(project_id, id, user_id) -> Token?
-- With the user's row locked: exactly one of any number of concurrent calls gets it, and only for the address that it
-- was mailed to. Custom tokens and those of passkeys were mailed to none.
delete from tokens t using users u
where t.project_id = :project_id and t.id = :id and t.user_id = :user_id and t.expires_at > now()
    and u.project_id = t.project_id and u.id = t.user_id
    and (t.kind in ('custom', 'passkey', 'oauth2') or (u.email = t.email and u.email_version = t.email_version))
returning t.project_id, t.id, t.kind, t.user_id, t.asked_as as requested_user_id, t.email, t.email_version, t.kid, t.created_at, t.expires_at;

-- name: redeem_token_by_number(project_id, id, user_id) -> Token?
-- The same for a number, which the token has in the place of an address.
delete from tokens t using users u
where t.project_id = :project_id and t.id = :id and t.user_id = :user_id and t.expires_at > now()
    and t.kind in ('phone_verification', 'mfa_phone')
    and u.project_id = t.project_id and u.id = t.user_id and u.phone = t.email and u.phone_version = t.email_version
returning t.project_id, t.id, t.kind, t.user_id, t.asked_as as requested_user_id, t.email, t.email_version, t.kid, t.created_at, t.expires_at;

-- name: redeem_undo_link(project_id, id, user_id) -> UndoLink?
-- With the user's row locked. The address may have changed: that is what the link undoes.
delete from tokens
where project_id = :project_id and id = :id and user_id = :user_id and kind in ('disavowal', 'email_undo')
    and expires_at > now()
returning project_id, id, kind, user_id, asked_as as requested_user_id, email, email_version, kid, created_at,
    expires_at, proved_by_holder;

-- name: delete_token(project_id, id)
delete from tokens where project_id = :project_id and id = :id;

-- name: list_expired_tokens(most) -> ProjectRows*
-- Kept a day longer, so that an expired link can still be told from an invented one.
select project_id, array_agg(id) as ids from (
    select project_id, id from tokens
    where expires_at < now() - interval '1 day'
    order by expires_at limit :most
) old group by project_id;

-- name: delete_expired_tokens(project_id, ids)
delete from tokens where project_id = :project_id and id in (
    select id from tokens
    where project_id = :project_id and id = any(:ids::text[]) and expires_at < now() - interval '1 day'
    for update skip locked
);
