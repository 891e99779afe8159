-- Addresses whose mailbox refuses our mail: a worker sends it none until then. The hash is keyed: the table names nobody.
create table suppressions (
    project_id      text not null references projects on delete cascade,
    address_hash    bytea not null,
    cause           text not null check (cause in ('bounced', 'complained', 'operator')),
    -- Whose outcome it was; that row is deleted long before this one.
    mail_id         uuid,
    since           timestamptz not null default now(),
    until           timestamptz not null,
    primary key (project_id, address_hash)
);
create index suppressions_by_age on suppressions (until);
