-- What an act owes to the world is written in the act's own transaction. Redis only rings the bell.

create table events (
    project_id  text not null,
    id          uuid not null,
    name        text not null,
    -- Null for an address that turned out to be nobody's.
    user_id     text,
    -- Set while a worker has yet to find out whom the act concerns (a recovery asked for by address).
    token_id    text,
    ready       boolean not null default true,
    ip          text not null,
    user_agent  text not null,
    at          timestamptz not null default now(),
    -- The id comes first so that a job, which carries an id and nothing else, finds its row.
    primary key (id, project_id)
);
create index events_due on events (at) where ready;
create index events_of_token on events (project_id, token_id) where token_id is not null;

create table mails (
    project_id      text not null references projects,
    id              uuid not null,
    letter          text not null,
    user_id         text,
    token_id        text,
    recipient       text not null,
    locale          text not null,
    -- What the letter says beyond the token: no secret is ever in here.
    facts           jsonb not null default '{}',
    state           text not null default 'pending'
                    check (state in ('pending', 'sending', 'sent', 'failed', 'expired', 'cancelled', 'void')),
    attempts        int not null default 0,
    -- Pending: when to try next. Sending: when the lease of lease_by runs out.
    due_at          timestamptz not null default now(),
    lease_by        text,
    -- No use in sending it later than this.
    deadline_at     timestamptz not null,
    message_id      text not null,
    last_code       int,
    last_fault      text,
    created_at      timestamptz not null default now(),
    ended_at        timestamptz,
    primary key (id, project_id)
);
create index mails_due on mails (due_at) where state in ('pending', 'sending');
create index mails_of_user on mails (project_id, user_id, created_at);

create table logs (
    project_id            text not null,
    id                    uuid not null,
    user_id               text,
    name                  text not null,
    ip                    text not null,
    at                    timestamptz not null,
    country_code          text not null,
    os_code               text not null,
    os_name               text not null,
    os_version            text not null,
    client_type           text not null,
    client_code           text not null,
    client_name           text not null,
    client_version        text not null,
    client_engine         text not null,
    client_engine_version text not null,
    device_name           text not null,
    device_brand          text not null,
    device_model          text not null,
    primary key (project_id, id, at)
) partition by range (at);
create index logs_of_user on logs (project_id, user_id, at desc);
create table logs_default partition of logs default;

-- Makes this month's and the next two months' partitions, drops those older than so many months.
-- Safe to call from many workers at once: one does it, the others pass.
create function keep_log_partitions(months_kept int) returns int language plpgsql as $$
declare
    month date;
    partition record;
    changed int := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('keep_log_partitions')) then
        return 0;
    end if;
    for ahead in 0..2 loop
        month := date_trunc('month', now() at time zone 'UTC')::date + make_interval(months => ahead);
        if to_regclass('logs_' || to_char(month, 'YYYYMM')) is null then
            execute format(
                'create table %I partition of logs for values from (%L) to (%L)',
                'logs_' || to_char(month, 'YYYYMM'),
                month::text || ' 00:00:00+00',
                (month + interval '1 month')::date::text || ' 00:00:00+00'
            );
            changed := changed + 1;
        end if;
    end loop;
    for partition in
        select inhrelid::regclass::text as name from pg_inherits
        where inhparent = 'logs'::regclass and inhrelid::regclass::text ~ '^logs_[0-9]{6}$'
    loop
        if to_date(right(partition.name, 6), 'YYYYMM')
            < date_trunc('month', now() at time zone 'UTC')::date - make_interval(months => months_kept) then
            execute format('drop table %I', partition.name);
            changed := changed + 1;
        end if;
    end loop;
    return changed;
end $$;

-- The first ones, so that nothing is filed in the default partition.
select keep_log_partitions(120);
