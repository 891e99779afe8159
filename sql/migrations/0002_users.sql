create table users (
    project_id          text not null references projects,
    id                  text not null check (id ~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}$'),
    email               text check (email = lower(email)),
    -- Goes up by one with every change of address: a token made for an earlier address is void.
    email_version       int not null default 1,
    email_verified      boolean not null default false,
    name                text not null default '',
    password_hash       text,
    password_updated_at timestamptz,
    status              text not null default 'unactivated' check (status in ('unactivated', 'active', 'blocked')),
    labels              text[] not null default '{}',
    -- Text, not jsonb: what a client stored comes back byte for byte.
    prefs               text not null default '{}',
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    accessed_at         timestamptz not null default now(),
    primary key (project_id, id),
    unique (project_id, email)
);

create table sessions (
    project_id            text not null,
    user_id               text not null,
    id                    text not null,
    -- SHA-256 of the 256 random bits that only the client holds.
    secret_hash           bytea not null,
    provider              text not null,
    provider_uid          text not null default '',
    ip                    text not null,
    country_code          text not null,
    os_code               text not null,
    os_name               text not null,
    os_version            text not null,
    client_type           text not null,
    client_code           text not null,
    client_name           text not null,
    client_version        text not null,
    client_engine         text not null,
    client_engine_version text not null,
    device_name           text not null,
    device_brand          text not null,
    device_model          text not null,
    created_at            timestamptz not null default now(),
    updated_at            timestamptz not null default now(),
    expires_at            timestamptz not null,
    primary key (project_id, user_id, id),
    foreign key (project_id, user_id) references users on delete cascade
);

create table tokens (
    project_id    text not null references projects,
    id            text not null,
    kind          text not null check (kind in ('recovery', 'verification', 'magic_url', 'otp')),
    -- Null until a worker has found whose address it is: the API must not know (recovery, magic URL).
    user_id       text,
    -- The id that was told to who asked, where that must not be the user's own (magic URL, code).
    asked_as      text,
    -- The address that the secret was mailed to, and its version at that time.
    email         text not null,
    email_version int,
    -- Which server key the secret is derived with; the secret itself is stored nowhere.
    kid           text not null,
    attempts      int not null default 0,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    primary key (project_id, id),
    foreign key (project_id, user_id) references users on delete cascade
);
create index tokens_of_user on tokens (project_id, user_id);
create index tokens_asked_as on tokens (project_id, asked_as);
create index tokens_of_address on tokens (project_id, email);
create index tokens_expired on tokens (expires_at);
