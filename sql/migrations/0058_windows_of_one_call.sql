-- Windows in groups, those of a request and the quota of its mail: in one call, each group counted wholly or not at all,
-- and none after one that is full. A new window is read once, where it was looked for again after it was made.
create function count_in_windows(names text[], limits int[], seconds int[], groups int[])
returns table (before int, wait bigint, counted_at timestamptz) language plpgsql as $$
declare
    moment timestamptz;
    place int;
    w windows;
    held windows[];
    total int;
    totals int[];
    -- The first group with a full window.
    full_group int;
begin
    -- All in one order, so that two calls never wait for each other.
    for place in select g.place from unnest(names) with ordinality g (name, place) order by g.name loop
        loop
            select * into w from windows x where x.name = names[place] for update;
            exit when found;
            insert into windows (name, expires_at) values (names[place], 'infinity') on conflict do nothing
            returning * into w;
            exit when found;
        end loop;
        held[place] := w;
    end loop;
    moment := clock_timestamp();
    for place in 1 .. cardinality(names) loop
        w := held[place];
        total := 0;
        if w.calls <> '{}' then
            select coalesce(array_agg(e.at order by e.at), '{}'),
                coalesce(array_agg(coalesce(e.many, 1) order by e.at), '{}'), coalesce(sum(coalesce(e.many, 1)), 0)
            into w.calls, w.many, total
            from unnest(w.calls, w.many) e (at, many) where e.at > moment - make_interval(secs => seconds[place]);
            held[place] := w;
        end if;
        totals[place] := total;
        if total >= limits[place] then
            full_group := least(full_group, groups[place]);
        end if;
    end loop;
    for place in 1 .. cardinality(names) loop
        w := held[place];
        before := totals[place];
        wait := seconds[place] * 1000000::bigint;
        counted_at := null;
        if before > 0 then
            wait := wait + (extract(epoch from w.calls[1] - moment) * 1000000)::bigint;
        end if;
        if full_group is null or groups[place] < full_group then
            counted_at := moment;
            w := with_call(w, moment, ceil(limits[place] / 1000.0)::int);
        end if;
        update windows x set calls = w.calls, many = w.many, expires_at = moment + make_interval(secs => seconds[place])
        where x.name = names[place];
        return next;
    end loop;
    -- Last, so that it never waits. A call in eight takes a few away for itself and for the other seven; by their order
    -- the index is read, whatever the planner takes for granted.
    if random() < 0.125 then
        delete from windows x where x.name in (
            select e.name from windows e where e.expires_at < moment order by e.expires_at limit 80
            for update skip locked
        );
    end if;
end $$;

-- For a service of the release before.
create or replace function count_in_windows(names text[], limits int[], seconds int[])
returns table (before int, wait bigint, counted_at timestamptz) language sql as $$
    select c.before, c.wait, c.counted_at
    from count_in_windows(names, limits, seconds, array_fill(1, array[cardinality(names)])) c;
$$;
