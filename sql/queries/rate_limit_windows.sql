-- name: count_in_windows(names, limits, seconds, groups) -> Window*
-- One row a window, in the order of the names. The groups rise. Each list is a text of lines, the driver's arrays cost
-- it as much as the rest of the call.
select before, wait, counted_at
from count_in_windows(string_to_array(:names, E'\n'), string_to_array(:limits, E'\n')::int[],
    string_to_array(:seconds, E'\n')::int[], string_to_array(:groups, E'\n')::int[]);

-- name: count_many_in_window(name, limit, seconds, calls) -> Window*
-- One row a call. The call's number makes each count anew: without it one answer would stand for all.
select w.before, w.wait, w.counted_at from generate_series(1, :calls::int) as number
cross join lateral count_in_windows(
    array[:name::text], array[:limit::int + 0 * number], array[:seconds::int], array[1]
) w
order by number;

-- name: refund_attempts(names, limits, moments)
-- Names and limits are lines, as above.
select give_back(string_to_array(:names, E'\n'), string_to_array(:limits, E'\n')::int[], :moments::timestamptz[]);

-- name: delete_windows(names)
delete from windows where name = any(:names::text[]);

-- name: record_resets(names)
insert into window_resets (name) select unnest(:names::text[])
on conflict (name) do update set at = excluded.at;

-- name: delete_old_resets()
-- No window is longer.
delete from window_resets where at < now() - interval '31 days';

-- name: find_resets(since) -> Reset*
select name, at from window_resets where at > :since order by at;

-- name: find_windows(names, seconds) -> Held*
-- One row a name, in their order; an empty one where there is none.
select c.calls as before, case when c.calls = 0 then g.span * 1000000::bigint
    else (extract(epoch from c.oldest - now()) * 1000000)::bigint + g.span * 1000000::bigint end as wait
from unnest(:names::text[], :seconds::int[]) with ordinality g (name, span, place)
left join windows w on w.name = g.name
cross join lateral (
    select coalesce(sum(coalesce(e.many, 1)), 0)::int as calls, min(e.at) as oldest
    from unnest(w.calls, w.many) e (at, many) where e.at > now() - make_interval(secs => g.span)
) c
order by g.place;
