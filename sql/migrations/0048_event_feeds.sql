-- Feeds of events for other systems. An old release does not know them: what it files is in no feed.
create table event_feeds (
    project_id      text primary key references projects on delete cascade,
    -- Raised by the worker that files events, which holds this row until it commits: a number that is seen has no
    -- number below it that is yet to come.
    last_number     bigint not null default 0,
    -- The greatest number whose event was deleted for its age.
    deleted_through bigint not null default 0
);
create table feed_events (
    project_id  text not null references event_feeds on delete cascade,
    number      bigint not null,
    id          uuid not null,
    name        text not null,
    user_id     text not null,
    at          timestamptz not null,
    filed_at    timestamptz not null default now(),
    primary key (project_id, number)
);
