-- The least version 7 UUID of a time, such as mails have: rows by age are found by their key.
create function uuid_at(at timestamptz) returns uuid language sql immutable strict parallel safe as $$
    select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Rows that the planner expects, for counts that would take too long: what the statistics tell, never a scan.
create function expected_mails(wanted text, project text) returns bigint language plpgsql stable as $$
declare
    plan json;
begin
    execute format('explain (format json) select from mails where state = %L', wanted)
        || coalesce(format(' and project_id = %L', project), '') into plan;
    return (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
end $$;
