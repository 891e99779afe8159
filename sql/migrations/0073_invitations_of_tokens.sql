-- A token remembers the invitation whose code came with the request for it. There may be none of that id any more.
alter table tokens add column invitation_id text;
