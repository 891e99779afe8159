-- Windows that an operator has emptied. An API process that is about to refuse a call looks here first: what Redis
-- still holds of them, because it was away, counts no more.
create table window_resets (
    name  text primary key,
    at    timestamptz not null default clock_timestamp()
);
