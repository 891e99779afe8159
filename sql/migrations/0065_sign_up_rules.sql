-- Who may sign up and sign in, and how cookies are kept (docs/accounts.md).
alter table projects
    add column sign_up             text not null default 'open' check (sign_up in ('open', 'closed', 'domains')),
    add column sign_up_domains     text[] not null default '{}',
    add column verified_sign_in    boolean not null default false,
    add column partitioned_cookies boolean not null default false;
