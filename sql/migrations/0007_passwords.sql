-- Sign-up tells nobody whether an address has an account: see docs/security.md for how, and for what it costs.
alter table projects add column private_signup boolean not null default false;
-- What was asked for there: an account is made of it when the link is used that was mailed to the address.
create table sign_ups (
    project_id    text not null,
    token_id      text not null,
    name          text not null,
    password_hash text not null,
    primary key (project_id, token_id),
    foreign key (project_id, token_id) references tokens on delete cascade
);

-- What a new password must not be: on the list of those that everybody knows (or among the breached ones of
-- PASSWORD_RANGES), made of the user's own name or address, or one of the user's last so many.
alter table projects add column password_blocklist boolean not null default true;
alter table projects add column password_personal_data boolean not null default true;
alter table projects add column password_history int not null default 0 check (password_history between 0 and 32);

-- Hashes of earlier passwords, newest last; kept where a project asks for it, and as many as it asks for.
create table password_history (
    project_id    text not null,
    user_id       text not null,
    id            bigint generated always as identity,
    password_hash text not null,
    primary key (project_id, user_id, id),
    foreign key (project_id, user_id) references users on delete cascade
);
