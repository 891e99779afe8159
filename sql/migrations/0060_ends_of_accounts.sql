-- Accounts that nobody has proved end after so many days; 0 for never (docs/accounts.md).
alter table projects
    add column unverified_days   int not null default 0 check (unverified_days between 0 and 3650),
    add column anonymous_days    int not null default 0 check (anonymous_days between 0 and 3650),
    add column end_made_accounts boolean not null default false;
