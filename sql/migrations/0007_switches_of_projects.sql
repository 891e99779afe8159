-- Each table that is in use has a migration of its own from here on: one that held two could meet traffic in a ring.

-- Numbers of a project's own, by the name of the rule: {"create_session.email": [20, 3600]}; [] is no limit at all.
alter table projects add column limits jsonb not null default '{}';
-- Count and say so, but refuse nobody.
alter table projects add column limits_dry_run boolean not null default false;
-- Tell a member by mail when the password was used in a browser that is new to us.
alter table projects add column notify_new_device boolean not null default false;
-- Sign-up tells nobody whether an address has an account: see docs/security.md for how, and for what it costs.
alter table projects add column private_signup boolean not null default false;

-- What a new password must not be: on the list of those that everybody knows (or among the breached ones of
-- PASSWORD_RANGES), made of the user's own name or address, or one of the user's last so many.
alter table projects add column password_blocklist boolean not null default true;
alter table projects add column password_personal_data boolean not null default true;
alter table projects add column password_history int not null default 0 check (password_history between 0 and 32);
