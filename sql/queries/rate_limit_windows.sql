-- name: count_in_windows(windows) -> Counted?
-- Lines of names, limits, seconds and groups, which rise.
select usages, counted_at, refused from count_in_windows(:windows);

-- name: count_many_in_window(name, limit, seconds, calls) -> Window*
-- One row a call. The call's number makes each count anew: without it one answer would stand for all.
select split_part(w.usages, ' ', 1)::int as before, split_part(w.usages, ' ', 2)::bigint as wait,
    case when w.refused is null then w.counted_at end as counted_at
from generate_series(1, :calls::int) as number
cross join lateral count_in_windows(concat_ws(E'\n', :name::text, :limit::int + 0 * number, :seconds::int, 1)) w
order by number;

-- name: refund_attempts(names, limits, moments)
select give_back(string_to_array(:names, ' '), string_to_array(:limits, ' ')::int[], :moments::timestamptz[]);

-- name: delete_windows(names)
-- In the order in which calls lock them: else a reset and a call could wait for each other.
delete from windows where name in (
    select name from windows where name = any(:names::text[]) order by name for update
);

-- name: record_resets(names)
insert into window_resets (name) select unnest(:names::text[]) order by 1
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
