-- DKIM keys of projects. A release before does not know them, and sends without our signature.
create table dkim_keys (
    project_id   text not null references projects on delete cascade,
    selector     text not null check (selector ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    domain       text not null check (octet_length(domain) between 1 and 253),
    algorithm    text not null check (algorithm in ('rsa', 'ed25519')),
    state        text not null default 'new' check (state in ('new', 'active', 'former')),
    -- Base64, as the DNS record has it.
    public_key   text not null,
    -- The private key, encrypted under the key of this id (service/crypto/sealing.py).
    kid          text not null,
    sealed       bytea not null check (octet_length(sealed) between 28 and 4096),
    created_at   timestamptz not null default clock_timestamp(),
    activated_at timestamptz check (state = 'new' or activated_at is not null),
    primary key (project_id, selector)
);
create unique index dkim_keys_active on dkim_keys (project_id, algorithm) where state = 'active';
