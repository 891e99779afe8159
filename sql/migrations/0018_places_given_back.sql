-- A place in a window can be given back, and windows of more than a thousand calls are kept here too: then a moment
-- stands for several calls, the latest of them, so that none falls free too early. Where `many` is shorter than
-- `calls`, the rest stand for one call each.
alter table windows add column many int[] not null default '{}';

-- What count_call did, for windows of any width; `counted_at` is the call's own moment, null if it was refused.
create function count_in_windows(names text[], limits int[], seconds int[])
returns table (before int, wait bigint, counted_at timestamptz) language plpgsql as $$
declare
    moment timestamptz;
    locked int;
begin
    loop
        insert into windows (name, expires_at)
        select given, 'infinity' from unnest(names) given order by given on conflict do nothing;
        select count(*) into locked from (
            select 1 from windows w where w.name = any(names) order by w.name for update
        ) rows;
        -- Another call may have taken an expired one away in between.
        exit when locked = cardinality(names);
    end loop;
    moment := clock_timestamp();
    return query
    with seen as (
        select g.place, g.name, g.most, g.span, ceil(g.most / 1000.0)::int as share, c.calls, c.many, c.total
        from unnest(names, limits, seconds) with ordinality g (name, most, span, place)
        join windows w on w.name = g.name
        cross join lateral (
            select coalesce(array_agg(e.at order by e.at), '{}') as calls,
                coalesce(array_agg(coalesce(e.many, 1) order by e.at), '{}') as many,
                coalesce(sum(coalesce(e.many, 1)), 0)::int as total
            from unnest(w.calls, w.many) e (at, many)
            where e.at > moment - make_interval(secs => g.span)
        ) c
    ), verdict as (
        select bool_and(s.total < s.most) as open from seen s
    ), written as (
        update windows w set
            calls = case
                when not v.open then s.calls
                when s.many[cardinality(s.many)] < s.share then
                    s.calls[:cardinality(s.calls) - 1] || greatest(moment, s.calls[cardinality(s.calls)])
                else s.calls || moment end,
            many = case
                when not v.open then s.many
                when s.many[cardinality(s.many)] < s.share then
                    s.many[:cardinality(s.many) - 1] || s.many[cardinality(s.many)] + 1
                else s.many || 1 end,
            expires_at = moment + make_interval(secs => s.span)
        from seen s, verdict v where w.name = s.name
    )
    select s.total, case when s.total = 0 then s.span * 1000000::bigint
        else (extract(epoch from s.calls[1] - moment) * 1000000)::bigint + s.span * 1000000::bigint end,
        case when v.open then moment end
    from seen s, verdict v order by s.place;
    -- Last, so that it never waits: each call takes a few away that nobody needs any more.
    delete from windows w where w.name in (
        select e.name from windows e where e.expires_at < moment limit 10 for update skip locked
    );
end $$;

-- The release before asks for this one.
create or replace function count_call(names text[], limits int[], seconds int[])
returns table (before int, wait bigint) language sql as $$
    select c.before, c.wait from count_in_windows(names, limits, seconds) c;
$$;

-- Take the calls of these moments back, each out of its window: of calls with one moment it is all the same which.
create function give_back(names text[], limits int[], moments timestamptz[])
returns void language plpgsql as $$
begin
    perform 1 from windows w where w.name = any(names) order by w.name for update;
    with taken as (
        select g.name, own.place, count(*)::int as many
        from unnest(names, limits, moments) g (name, most, moment)
        join windows w on w.name = g.name
        cross join lateral (
            select min(e.place) as place from unnest(w.calls) with ordinality e (at, place)
            where e.at = g.moment or (g.most > 1000 and e.at > g.moment)
        ) own
        where own.place is not null
        group by g.name, own.place
    ), held as (
        select w.name, e.place, e.at, coalesce(e.many, 1) - coalesce(t.many, 0) as many
        from windows w
        cross join lateral unnest(w.calls, w.many) with ordinality e (at, many, place)
        left join taken t on t.name = w.name and t.place = e.place
        where w.name in (select name from taken)
    ), left_over as (
        select h.name, coalesce(array_agg(h.at order by h.place) filter (where h.many > 0), '{}') as calls,
            coalesce(array_agg(h.many order by h.place) filter (where h.many > 0), '{}') as many
        from held h group by h.name
    )
    update windows w set calls = s.calls, many = s.many from left_over s where w.name = s.name;
end $$;
