-- no-transaction
-- Second factors. Each of these transactions locks one busy table, and each may run again after a lock timeout: then
-- what is there already stays.

begin;
set local lock_timeout = '5s';
-- How a session was opened, and what was proved since. An old release opens sessions without it: 'unknown' is held for
-- whatever proves least, so that no factor counts twice (docs/second-factors.md).
alter table sessions
    add column if not exists first_factor text not null default 'unknown',
    -- 2 once a second factor was proved.
    add column if not exists assurance smallint not null default 1,
    -- The latest challenge that was passed.
    add column if not exists mfa_at timestamptz,
    -- As shown to clients; empty: by the provider.
    add column if not exists factors text[] not null default '{}';
create table if not exists challenges (
    project_id  text not null,
    id          text not null,
    user_id     text not null,
    session_id  text not null,
    factor      text not null check (factor in ('totp', 'email', 'phone', 'recoveryCode', 'custom')),
    -- Of the key that the code of a custom factor is derived from.
    kid         text not null,
    attempts    int not null default 0,
    -- When the app's server was given the code of a custom factor.
    read_at     timestamptz,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    primary key (project_id, id),
    -- It is its session's alone, and ends with it.
    foreign key (project_id, user_id, session_id) references sessions on delete cascade
);
create index if not exists challenges_of_session on challenges (project_id, user_id, session_id);
create index if not exists challenges_expired on challenges (expires_at);
commit;

begin;
set local lock_timeout = '5s';
alter table users add column if not exists mfa boolean not null default false;
create table if not exists authenticators (
    project_id  text not null,
    user_id     text not null,
    id          text not null,
    -- The secret, encrypted under the key of this id (service/crypto/sealing.py).
    kid         text not null,
    sealed      bytea not null check (octet_length(sealed) between 28 and 256),
    -- The latest time step whose code was used: a code works once.
    last_step   bigint not null default 0,
    created_at  timestamptz not null default now(),
    verified_at timestamptz,
    -- Kept for the undo link of the notice.
    removed_at  timestamptz,
    primary key (project_id, user_id, id),
    foreign key (project_id, user_id) references users on delete cascade
);
create unique index if not exists authenticators_verified on authenticators (project_id, user_id)
    where verified_at is not null and removed_at is null;
create unique index if not exists authenticators_pending on authenticators (project_id, user_id)
    where verified_at is null and removed_at is null;
create table if not exists recovery_codes (
    project_id  text not null,
    user_id     text not null,
    -- Codes that were made together.
    set_id      text not null,
    place       smallint not null,
    hash        text not null,
    created_at  timestamptz not null default now(),
    used_at     timestamptz,
    removed_at  timestamptz,
    primary key (project_id, user_id, set_id, place),
    foreign key (project_id, user_id) references users on delete cascade
);
-- What `users.mfa` was before each change, for the undo link of the notice.
create table if not exists mfa_changes (
    project_id  text not null,
    user_id     text not null,
    id          bigint generated always as identity,
    former      boolean not null,
    changed_at  timestamptz not null default now(),
    primary key (project_id, user_id, id),
    foreign key (project_id, user_id) references users on delete cascade
);
commit;

begin;
set local lock_timeout = '5s';
-- Factors that a project allows; recovery codes can't be switched off.
alter table projects add column if not exists mfa_factors text[] not null default '{totp,email,phone}';
commit;

begin;
set local lock_timeout = '5s';
-- Every older row passed the narrower check, so none needs to be looked at.
alter table tokens drop constraint if exists tokens_kind_check;
alter table tokens add constraint tokens_kind_check check (kind in (
    'recovery', 'verification', 'magic_url', 'otp', 'disavowal', 'email_undo', 'verification_otp', 'recovery_otp',
    'mfa_email', 'mfa_phone', 'mfa_custom', 'phone_login', 'phone_verification', 'custom', 'oauth2', 'passkey'
)) not valid;
commit;
