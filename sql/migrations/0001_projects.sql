-- Every table is keyed by project first, so that the schema also spreads over a distributed Postgres.

create table projects (
    id                      text primary key check (id ~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}$'),
    name                    text not null,
    created_at              timestamptz not null default now(),
    sender_name             text not null default '',
    sender_address          text not null default '',
    locale                  text not null default 'en',
    verification_url        text not null default '',
    -- Rendering for requests that name no X-Appwrite-Response-Format.
    modern_by_default       boolean not null default false,
    -- Appwrite's 404 and 403 on recovery, for conformance runs only: it tells who has an account.
    reveal_unknown_users    boolean not null default false,
    -- http:// redirect addresses other than loopback ones.
    plain_http              boolean not null default false,
    password_min            int not null default 0 check (password_min between 0 and 64),
    password_max            int not null default 256 check (password_max between 32 and 256),
    session_seconds         int not null default 31536000 check (session_seconds > 0),
    recovery_seconds        int not null default 3600 check (recovery_seconds > 0),
    verification_seconds    int not null default 604800 check (verification_seconds > 0),
    magic_url_seconds       int not null default 3600 check (magic_url_seconds > 0),
    otp_seconds             int not null default 600 check (otp_seconds > 0)
);

create table platforms (
    project_id  text not null references projects on delete cascade,
    -- A host name, or *.suffix which does not match the bare suffix.
    hostname    text not null check (hostname = lower(hostname)),
    created_at  timestamptz not null default now(),
    primary key (project_id, hostname)
);

create table api_keys (
    project_id   text not null references projects on delete cascade,
    id           text not null,
    name         text not null,
    -- SHA-256 of the key; the key itself is shown once, when it is made.
    secret_hash  bytea not null,
    scopes       text[] not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    primary key (project_id, id),
    unique (project_id, secret_hash)
);
