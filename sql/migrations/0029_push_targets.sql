-- no-transaction
-- Targets of messages to users. Each of these transactions locks one busy table, and each may run again after a lock
-- timeout: then what is there already stays.

begin;
set local lock_timeout = '5s';
create table if not exists targets (
    project_id    text not null,
    user_id       text not null,
    id            text not null,
    -- With which it ends; null for one that an operator has made.
    session_id    text,
    provider_type text not null check (provider_type in ('email', 'sms', 'push')),
    -- The app's own, for its sender.
    provider_id   text,
    name          text not null default '',
    -- Token of a device, address or number. One user at a time has it.
    identifier    text not null check (length(identifier) between 1 and 255),
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (project_id, user_id, id),
    unique (project_id, provider_type, identifier),
    foreign key (project_id, user_id, session_id) references sessions on delete cascade
);
commit;

begin;
set local lock_timeout = '5s';
alter table users
    -- Set with the first one, and left when the last is gone: the query of each request looks for targets where there
    -- may be some.
    add column if not exists has_targets boolean not null default false;
alter table targets
    drop constraint if exists targets_project_id_user_id_fkey,
    add constraint targets_project_id_user_id_fkey foreign key (project_id, user_id) references users on delete cascade;
commit;

-- Until the transaction ends nobody else registers this identifier. Locks have one order: addresses, numbers and
-- identifiers, users, tokens.
create or replace function claim_identifier(project text, kind text, identifier text) returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended(project || ' ' || kind || ' ' || identifier, 2))
$$;

-- Targets of a user as JSON, oldest first, without those of sessions that have ended. In PL/pgSQL, which keeps the plan.
create or replace function registered_targets(project text, holder text) returns text language plpgsql stable as $$
begin
    return (
        select coalesce(json_agg(json_build_object(
            'id', t.id, 'provider_type', t.provider_type, 'provider_id', t.provider_id, 'name', t.name,
            'identifier', t.identifier, 'created_at', t.created_at, 'updated_at', t.updated_at
        ) order by t.created_at, t.id), '[]')::text
        from targets t
        left join sessions s on s.project_id = t.project_id and s.user_id = t.user_id and s.id = t.session_id
        where t.project_id = project and t.user_id = holder and (t.session_id is null or s.expires_at > now())
    );
end $$;

-- The planner writes it into its callers: users without targets cost no call.
create or replace function targets_of(project text, holder text, has_targets boolean) returns text language sql stable
as $$ select case when has_targets then registered_targets(project, holder) else '[]' end $$;
