-- Hash chain of the security log. Rows of before, and what an old release files meanwhile, have none of it.
alter table logs
    add column chain_number bigint,
    add column salt         bytea,
    add column hash         bytea,
    -- The digest of the personal values, after they were erased.
    add column erased       bytea;

-- One for each project and month. No reference to projects: events of one that was deleted are filed all the same.
create table log_chains (
    project_id      text not null,
    month           text not null,
    -- The last row; the worker that files holds this row until it commits.
    number          bigint not null default 0,
    hash            bytea,
    -- Where the chain of an earlier month stood when this one began.
    previous_month  text,
    previous_number bigint,
    previous_hash   bytea,
    -- The newest checkpoint.
    signed_number   bigint not null default 0,
    signed_at       timestamptz,
    primary key (project_id, month)
) with (fillfactor = 50);

create table log_checkpoints (
    project_id text not null,
    month      text not null,
    number     bigint not null,
    hash       bytea not null,
    at         timestamptz not null,
    kid        text not null,
    signature  bytea not null,
    primary key (project_id, month, number)
);
