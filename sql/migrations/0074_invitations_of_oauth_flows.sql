-- A sign-in by a provider remembers the invitation whose code came with its start.
alter table oauth_flows add column invitation_id text;
