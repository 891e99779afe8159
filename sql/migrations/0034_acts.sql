-- One row for each transaction of the service, written with its COMMIT: whoever lost the answer looks here for the
-- outcome. `undone`: the one who looked came first, so that this act can't be committed any more. Kept for an hour.
create table acts (
    project_id text not null,
    id uuid not null,
    created_at timestamptz not null default now(),
    undone boolean not null default false,
    primary key (project_id, id)
);
create index acts_by_age on acts (created_at);
