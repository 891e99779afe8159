-- When the next checkpoint of a chain is due; null while there is none to make, and where only earlier releases file.
alter table log_chains add column due_at timestamptz;
create index log_chains_due on log_chains (due_at) where due_at is not null;
