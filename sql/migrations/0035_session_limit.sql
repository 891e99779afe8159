-- How many sessions a user has at most; the oldest go.
alter table projects add column session_limit int not null default 100 check (session_limit between 1 and 1000);
