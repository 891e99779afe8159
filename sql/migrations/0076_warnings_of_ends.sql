-- Days before its end by which an unverified account's user is written to; 0 for no letter (docs/accounts.md).
alter table projects
    add column end_warning_days int not null default 0 check (end_warning_days between 0 and 365);
