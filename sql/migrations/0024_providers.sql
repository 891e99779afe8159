-- Other providers that users may sign in with. An old release doesn't know them. `projects` is the one busy table.
alter table projects
    -- Whether a sign-in by a provider stands for two factors ('trust'), or a second one is asked for ('ask').
    add column provider_mfa text not null default 'ask' check (provider_mfa in ('ask', 'trust')),
    -- Whether a provider's tokens are shown to whoever holds the session.
    add column provider_tokens boolean not null default false;
create table providers (
    project_id              text not null references projects on delete cascade,
    name                    text not null,
    enabled                 boolean not null default false,
    client_id               text not null default '',
    -- The client secret, or Apple's private key, under the key of this id (service/crypto/sealing.py).
    kid                     text,
    sealed                  bytea check (octet_length(sealed) between 28 and 8192),
    -- Sign-in by ID tokens that an app got by itself, for these clients besides `client_id`.
    native                  boolean not null default false,
    native_client_ids       text[] not null default '{}',
    -- Whether its `email_verified` is believed.
    trust_email             boolean not null default false,
    issuer                  text not null default '',
    discovery_url           text not null default '',
    authorization_endpoint  text not null default '',
    token_endpoint          text not null default '',
    userinfo_endpoint       text not null default '',
    jwks_uri                text not null default '',
    tenant                  text not null default '',
    team_id                 text not null default '',
    key_id                  text not null default '',
    scopes                  text[] not null default '{}',
    prompt                  text not null default '',
    max_age                 int,
    created_at              timestamptz not null default now(),
    updated_at              timestamptz not null default now(),
    primary key (project_id, name),
    check ((kid is null) = (sealed is null))
);
-- ID tokens that opened a session, by SHA-256, until they expire: each works once.
create table used_id_tokens (
    project_id  text not null references projects on delete cascade,
    digest      bytea not null check (octet_length(digest) = 32),
    expires_at  timestamptz not null,
    primary key (project_id, digest)
);
create index used_id_tokens_expired on used_id_tokens (expires_at);
