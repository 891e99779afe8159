-- Calls on what guards a secret or a mailbox are counted here after Redis has let them pass, so that the number is
-- exact whatever becomes of Redis (reliability.md B8). Unlogged: a crash of Postgres may begin the windows anew.
create unlogged table windows (
    -- The window's key in Redis: an HMAC, so that no address and no e-mail stands here.
    name        text primary key,
    -- The moments of the calls that count, oldest first.
    calls       timestamptz[] not null default '{}',
    expires_at  timestamptz not null
);
create index windows_expired on windows (expires_at);

-- What service/limits.lua does in Redis: all of the windows count this call, or none does. Answers for each, in the
-- order given, how many calls stood before this one and the microseconds until the oldest leaves.
-- Rows are locked in the order of their names, so that two calls never wait for each other in a ring.
create function count_call(names text[], limits int[], seconds int[])
returns table (before int, wait bigint) language plpgsql as $$
declare
    moment timestamptz;
    open boolean;
begin
    insert into windows (name, expires_at)
    select given, 'infinity' from unnest(names) given order by given on conflict do nothing;
    perform 1 from windows w where w.name = any(names) order by w.name for update;
    moment := clock_timestamp();
    update windows w set calls = array(
        select at from unnest(w.calls) at where at > moment - make_interval(secs => g.span) order by at
    )
    from unnest(names, seconds) g (name, span) where w.name = g.name;
    select bool_and(cardinality(w.calls) < g.most) into open
    from unnest(names, limits) g (name, most) join windows w on w.name = g.name;
    return query select cardinality(w.calls), case when cardinality(w.calls) = 0 then g.span * 1000000::bigint
        else (extract(epoch from w.calls[1] - moment) * 1000000)::bigint + g.span * 1000000::bigint end
    from unnest(names, seconds) with ordinality g (name, span, place) join windows w on w.name = g.name
    order by g.place;
    update windows w set expires_at = moment + make_interval(secs => g.span),
        calls = case when open then w.calls || moment else w.calls end
    from unnest(names, seconds) g (name, span) where w.name = g.name;
    -- Last, so that it never waits: each call takes a few away that nobody needs any more.
    delete from windows w where w.name in (
        select e.name from windows e where e.expires_at < moment limit 10 for update skip locked
    );
end $$;
