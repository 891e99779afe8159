-- Sign-up by invitation (docs/accounts.md): a code for whoever has it, kept as a hash, or an address.
alter table projects drop constraint projects_sign_up_check,
    add constraint projects_sign_up_check check (sign_up in ('open', 'closed', 'domains', 'invitation'));
create table invitations (
    project_id      text not null references projects on delete cascade,
    id              text not null,
    email           text,
    code_hash       bytea,
    note            text not null,
    most_uses       int not null check (most_uses > 0),
    uses            int not null default 0 check (uses <= most_uses),
    created_at      timestamptz not null default now(),
    expires_at      timestamptz not null,
    used_at         timestamptz,
    primary key (project_id, id),
    check ((email is null) <> (code_hash is null))
);
create unique index invitations_by_email on invitations (project_id, email);
create unique index invitations_by_code on invitations (project_id, code_hash);
create index invitations_by_age on invitations (expires_at);
