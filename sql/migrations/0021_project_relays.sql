-- SMTP servers of projects that have their own. An old release doesn't know them, and sends by the shared relay.
create table project_relays (
    project_id  text primary key references projects on delete cascade,
    -- host:port, for operators.
    server      text not null,
    -- The whole URL, encrypted under the key of this id (service/crypto/sealing.py).
    kid         text not null,
    sealed      bytea not null check (octet_length(sealed) between 28 and 4096)
);
