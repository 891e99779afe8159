-- When the user was written to that the account ends.
alter table users add column end_warned_at timestamptz;
