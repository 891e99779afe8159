-- As before, but the surplus is read once: for a user with thousands of sessions the planner looked for each one in a
-- list that it read anew each time, beyond the deadline of a sign-in.
create or replace function end_surplus_sessions(project text, owner text) returns bigint language sql volatile as $$
    with gone as (
        delete from sessions where project_id = project and user_id = owner and id <= (
            select id from sessions where project_id = project and user_id = owner
            order by id desc offset (select session_limit - 1 from projects where id = project) limit 1
        )
        returning id
    )
    select count(*) from gone
$$;
