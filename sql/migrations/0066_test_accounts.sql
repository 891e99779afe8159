-- Accounts for tests and reviews, with a code that is always the same until it expires (docs/accounts.md). The code is
-- kept as a keyed hash, which is bound to the address.
alter table projects add column test_domains text[] not null default '{}';
create table test_accounts (
    project_id      text not null references projects on delete cascade,
    email           text not null,
    code_hash       bytea not null,
    created_at      timestamptz not null default now(),
    expires_at      timestamptz not null,
    uses            int not null default 0,
    used_at         timestamptz,
    primary key (project_id, email)
);
create index test_accounts_by_age on test_accounts (expires_at);
