-- Webhooks: addresses of other systems that a project's events are posted to (docs/webhooks.md). An old release does not
-- know them: what it files is in the feed and owed to no endpoint, until it is replayed.
create table webhook_endpoints (
    project_id      text not null references projects on delete cascade,
    id              text not null,
    url             text not null,
    -- Types of events, or what stands before `.*`; none for all.
    types           text[] not null default '{}',
    status          text not null default 'enabled' check (status in ('enabled', 'disabled')),
    created_at      timestamptz not null default now(),
    disabled_at     timestamptz,
    reason          text,
    -- The first failure since the last success.
    failing_since   timestamptz,
    primary key (project_id, id)
);
-- Those that sign at a time; all but the newest expire.
create table webhook_secrets (
    project_id  text not null,
    endpoint_id text not null,
    id          text not null,
    kid         text not null,
    sealed      bytea not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz,
    primary key (project_id, id),
    foreign key (project_id, endpoint_id) references webhook_endpoints on delete cascade
);
create index on webhook_secrets (project_id, endpoint_id);
-- One event for one endpoint, under its number in the feed.
create table webhook_deliveries (
    project_id  text not null,
    endpoint_id text not null,
    number      bigint not null,
    event_id    uuid not null,
    type        text not null,
    user_id     text not null,
    at          timestamptz not null,
    state       text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    -- Those that have an outcome.
    attempts    int not null default 0,
    last_status int,
    last_fault  text,
    ended_at    timestamptz,
    primary key (project_id, endpoint_id, number)
);
create index on webhook_deliveries (project_id, endpoint_id, user_id, number) where state = 'pending';
create index on webhook_deliveries (project_id, endpoint_id, ended_at) where state <> 'pending';
-- A user's deliveries to one endpoint go one after the other: a worker claims the row here, and delivers the lowest.
create table webhook_lanes (
    project_id  text not null,
    endpoint_id text not null,
    user_id     text not null,
    -- Deliveries that have not ended.
    pending     int not null,
    -- When the lowest is tried next, or when the lease of the worker that has it runs out; null for none.
    due_at      timestamptz default now(),
    lease_by    text,
    -- The fencing token: rises with each claim and each outcome, and begins above those of a former row.
    fence       bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
    primary key (project_id, endpoint_id, user_id),
    foreign key (project_id, endpoint_id) references webhook_endpoints on delete cascade
);
create index on webhook_lanes (project_id, endpoint_id, due_at) where due_at is not null;
-- Tells whether an endpoint gets events of a type.
create function wants_event(types text[], name text) returns boolean language sql immutable as $$
    select types = '{}' or exists (
        select from unnest(types) t where t = name or (t like '%.*' and starts_with(name, left(t, -1)))
    )
$$;
