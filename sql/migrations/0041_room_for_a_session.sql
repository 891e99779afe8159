-- Ends the oldest sessions where the user has as many as the project allows: ids grow with time. Its statements see what
-- was committed before the user's row was locked, also by the statement that calls it.
create function end_surplus_sessions(project text, owner text) returns bigint language sql volatile as $$
    with gone as (
        delete from sessions where project_id = project and user_id = owner and id in (
            select id from sessions where project_id = project and user_id = owner
            order by id desc offset (select session_limit - 1 from projects where id = project)
        )
        returning id
    )
    select count(*) from gone
$$;
