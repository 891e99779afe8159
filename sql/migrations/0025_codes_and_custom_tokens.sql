-- Custom tokens: their secrets are as long as the server that made them asked for. Null where the kind says it.
alter table tokens add column if not exists secret_length smallint;
