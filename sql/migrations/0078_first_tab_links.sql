-- no-transaction
-- Magic links that finish where they were begun (docs/accounts.md). Each of these transactions locks one busy table, and
-- each may run again after a lock timeout. An earlier release takes no token of the new kind for a sign-in.

begin;
set local lock_timeout = '5s';
alter table projects
    add column if not exists magic_links text not null default 'link' check (magic_links in ('link', 'first-tab'));
commit;

begin;
set local lock_timeout = '5s';
-- Every older row passed the narrower check, so none needs to be looked at.
alter table tokens
    add column if not exists approved_at timestamptz,
    drop constraint if exists tokens_kind_check,
    add constraint tokens_kind_check check (kind in (
        'recovery', 'verification', 'magic_url', 'otp', 'disavowal', 'email_undo', 'verification_otp', 'recovery_otp',
        'mfa_email', 'mfa_phone', 'mfa_custom', 'phone_login', 'phone_verification', 'custom', 'oauth2', 'passkey',
        'first_tab'
    )) not valid;
commit;
