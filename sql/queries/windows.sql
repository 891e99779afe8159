-- name: count_call(names, limits, seconds) -> Counted*
-- One a window, in the order of the names.
select before, wait from count_call(:names::text[], :limits::int[], :seconds::int[]);

-- name: forget_windows(names)
delete from windows where name = any(:names::text[]);

-- name: find_windows(names, seconds) -> Counted*
-- One a name, in their order; an empty one where there is none.
select c.calls as before, case when c.calls = 0 then g.span * 1000000::bigint
    else (extract(epoch from c.oldest - now()) * 1000000)::bigint + g.span * 1000000::bigint end as wait
from unnest(:names::text[], :seconds::int[]) with ordinality g (name, span, place)
left join windows w on w.name = g.name
cross join lateral (
    select count(*)::int as calls, min(at) as oldest
    from unnest(w.calls) at where at > now() - make_interval(secs => g.span)
) c
order by g.place;
