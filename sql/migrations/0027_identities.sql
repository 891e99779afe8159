-- no-transaction
-- Sign-in by other providers. Each of these transactions locks one busy table, and each may run again after a lock
-- timeout: then what is there already stays.

begin;
set local lock_timeout = '5s';
-- Accounts at other providers that sign a user in. A subject is unique only with its issuer.
create table if not exists identities (
    project_id     text not null,
    user_id        text not null,
    id             text not null,
    provider       text not null,
    issuer         text not null,
    subject        text not null,
    -- As the provider had it at the latest sign-in; empty for none. It is no proof of today's owner.
    email          text not null default '',
    email_verified boolean not null default false,
    -- The provider's tokens, encrypted under the key of this id (service/crypto/sealing.py); only where the project
    -- shows them.
    kid            text,
    sealed         bytea check (octet_length(sealed) between 28 and 40000),
    access_until   timestamptz,
    -- While a request exchanges the refresh token, which may work once, no other does.
    refresh_until  timestamptz,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    -- Kept for the undo link of the notice.
    removed_at     timestamptz,
    primary key (project_id, user_id, id),
    foreign key (project_id, user_id) references users on delete cascade,
    check ((kid is null) = (sealed is null))
);
create unique index if not exists identities_of_subject on identities (project_id, provider, issuer, subject)
    where removed_at is null;
create index if not exists identities_of_address on identities (project_id, email) where email <> '';
create index if not exists identities_by_age on identities (project_id, created_at, id) where removed_at is null;
commit;

begin;
set local lock_timeout = '5s';
-- Whose tokens a session shows. An old release opens none by an identity.
alter table sessions add column if not exists identity_id text;
commit;

begin;
set local lock_timeout = '5s';
-- Schemes of native apps to which a sign-in by a provider may lead back.
alter table projects add column if not exists redirect_schemes text[] not null default '{}';
-- Sign-ins that have been sent to a provider and are not back yet. State, nonce and PKCE verifier are derived.
create table if not exists oauth_flows (
    project_id  text not null references projects on delete cascade,
    id          text not null,
    provider    text not null,
    kind        text not null check (kind in ('session', 'token')),
    -- Addresses that were checked at the start; empty for our own pages.
    success     text not null,
    failure     text not null,
    -- The app's own, for it to get back.
    app_state   text not null,
    -- SHA-256 of the cookie of the browser that started; null for one that the app's server started.
    browser     bytea,
    -- Session that the browser had, to which an identity may be added.
    session_id  text,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    primary key (project_id, id)
);
create index if not exists oauth_flows_expired on oauth_flows (expires_at);
commit;

begin;
set local lock_timeout = '5s';
-- By which identity a token of the kind oauth2 signs in.
create table if not exists identity_tokens (
    project_id  text not null,
    token_id    text not null,
    identity_id text not null,
    two_factors boolean not null,
    primary key (project_id, token_id),
    foreign key (project_id, token_id) references tokens on delete cascade
);
commit;
