-- no-transaction
-- Passkeys. Each of these transactions locks one busy table, and each may run again after a lock timeout: then what is
-- there already stays.

begin;
set local lock_timeout = '5s';
alter table users
    -- Names the user to authenticators; made with the first passkey, and the same for all of them.
    add column if not exists webauthn_handle bytea;
create table if not exists passkeys (
    project_id      text not null,
    id              text not null,
    user_id         text not null,
    name            text not null,
    credential_id   bytea not null check (octet_length(credential_id) between 1 and 1023),
    credential_hash bytea not null,
    -- As a COSE key.
    public_key      bytea not null,
    algorithm       int not null,
    -- A passkey that its provider copies to other devices; its counter says nothing.
    backup_eligible boolean not null,
    backed_up       boolean not null,
    sign_count      bigint not null,
    transports      text[] not null,
    aaguid          text not null,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    accessed_at     timestamptz,
    -- Kept for the undo link of the notice.
    removed_at      timestamptz,
    primary key (project_id, id),
    unique (project_id, credential_hash),
    foreign key (project_id, user_id) references users on delete cascade
);
create index if not exists passkeys_of_user on passkeys (project_id, user_id);
commit;

begin;
set local lock_timeout = '5s';
create table if not exists passkey_challenges (
    project_id  text not null,
    id          text not null,
    challenge   bytea not null,
    -- What the ceremony was begun for, and a digest of it with all origins: it ends when either is changed.
    rp_id       text not null,
    origins     bytea not null,
    -- Of a registration: whose, and the passkey that it makes. Null for a sign-in.
    user_id     text,
    session_id  text,
    passkey_id  text,
    name        text not null default '',
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    used_at     timestamptz,
    primary key (project_id, id),
    unique (project_id, passkey_id),
    check (num_nulls(user_id, session_id, passkey_id) in (0, 3)),
    -- A registration is its session's alone, and ends with it.
    foreign key (project_id, user_id, session_id) references sessions on delete cascade
);
create index if not exists passkey_challenges_of_session on passkey_challenges (project_id, user_id, session_id);
create index if not exists passkey_challenges_expired on passkey_challenges (expires_at);
create index if not exists passkey_challenges_of_sign_in on passkey_challenges (project_id, expires_at)
    where passkey_id is null and used_at is null;
commit;

begin;
set local lock_timeout = '5s';
alter table projects
    add column if not exists passkeys boolean not null default false,
    -- Host that passkeys are made for; empty for none.
    add column if not exists rp_id text not null default '';
alter table passkey_challenges
    drop constraint if exists passkey_challenges_project_id_fkey,
    add constraint passkey_challenges_project_id_fkey foreign key (project_id) references projects on delete cascade;
commit;

begin;
set local lock_timeout = '5s';
-- An app on Android is listed for passkeys by a hash of its certificate, whose capitals count.
alter table apps
    drop constraint if exists apps_app_check,
    add constraint apps_app_check check (app = lower(app) or app ~ '^android:apk-key-hash:[A-Za-z0-9_-]{43}$');
commit;
