-- Windows counted by the statement of what they guard: one round trip where there were two. A call that is refused
-- writes nothing else.

-- A window with one call more; its moments that are older than the span go. Beyond a thousand calls a moment stands for
-- a hundredth of the limit: a row of more than two kilobytes is compressed and stored apart at each call, which took four
-- times as long as the rest. The row moves in its index only now and then, too.
create function with_call(w windows, moment timestamptz, span interval, most int) returns windows
language plpgsql immutable as $$
declare
    last int;
begin
    if w.calls[1] <= moment - span or cardinality(w.many) < cardinality(w.calls) then
        select coalesce(array_agg(e.at order by e.at), '{}'), coalesce(array_agg(coalesce(e.many, 1) order by e.at), '{}')
        into w.calls, w.many
        from unnest(w.calls, w.many) e (at, many) where e.at > moment - span;
    end if;
    last := cardinality(w.calls);
    if most > 1000 and w.many[last] < most / 100 then
        w.calls[last] := greatest(moment, w.calls[last]);
        w.many[last] := w.many[last] + 1;
    else
        w.calls := w.calls || moment;
        w.many := w.many || 1;
    end if;
    if w.expires_at < moment + span then
        w.expires_at := moment + span * 1.25;
    end if;
    return w;
end $$;

-- The same rules in one statement, and in half the time. It takes text and gives text, since arrays cost the driver
-- more: lines of names, limits, seconds and groups, with spaces between; then a line "before wait" for each window, and
-- the first group that refuses the call, none if it is allowed.
create function count_in_windows(windows text, out usages text, out counted_at timestamptz, out refused int)
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    names text[] := string_to_array(split_part(windows, E'\n', 1), ' ');
    limits int[] := string_to_array(split_part(windows, E'\n', 2), ' ');
    seconds int[] := string_to_array(split_part(windows, E'\n', 3), ' ');
    groups int[] := string_to_array(split_part(windows, E'\n', 4), ' ');
begin
    counted_at := clock_timestamp();
    -- All in one order, so that two calls never wait for each other.
    with counted as (
        insert into windows as w (name, calls, many, expires_at)
        select g.name, array[counted_at], '{1}', counted_at + make_interval(secs => g.span * 1.25)
        from unnest(names, seconds) g (name, span) order by g.name
        on conflict (name) do update set (calls, many, expires_at) = (
            select n.calls, n.many, n.expires_at
            from array_position(names, w.name) place, with_call(
                w, counted_at, make_interval(secs => seconds[place]), limits[place]
            ) n
        )
        returning array_position(names, w.name) as place, w.calls[1] as oldest, case when cardinality(w.many) = 1
            then w.many[1] else (select sum(m)::int from unnest(w.many) m) end - 1 as before
    )
    select min(groups[c.place]) filter (where c.before >= limits[c.place]), string_agg(c.before || ' '
            || ((extract(epoch from c.oldest - counted_at) + seconds[c.place]) * 1000000)::bigint, E'\n'
            order by c.place)
    into refused, usages
    from counted c;
    if refused is not null then
        perform give_back(array_agg(g.name), array_agg(g.most), array_agg(counted_at))
        from unnest(names, limits, groups) g (name, most, number) where g.number >= refused;
    end if;
    -- Last, so that it never waits. A call in eight takes a few away for itself and for the other seven; by their order
    -- the index is read, whatever the planner takes for granted.
    if random() < 0.125 then
        delete from windows x where x.name in (
            select e.name from windows e where e.expires_at < counted_at order by e.expires_at limit 80
            for update skip locked
        );
    end if;
end $$;

-- Without `windows` the call is counted already. Without an event's name there is none.
create function mail_token(
    windows text, project text, act uuid, given_id text, kind_name text, requested text, invitation text, address text,
    key_id text, seconds float8, mail uuid, letter_name text, letter_locale text, letter_facts jsonb,
    mail_message_id text, event uuid, event_name text, client_ip text, agent text, trace text
) returns table (token tokens, usages text, counted_at timestamptz, refused int)
language plpgsql set plan_cache_mode = force_generic_plan as $$
begin
    if windows is not null then
        select c.usages, c.counted_at, c.refused into usages, counted_at, refused from count_in_windows(windows) c;
        if refused is not null then
            return next;
            return;
        end if;
    end if;
    insert into acts (project_id, id) values (project, act);
    insert into tokens (project_id, id, kind, asked_as, invitation_id, email, kid, expires_at)
    values (project, given_id, kind_name, requested, invitation, address, key_id, now() + make_interval(secs => seconds))
    returning * into token;
    insert into mails (project_id, id, letter, token_id, recipient, locale, facts, deadline_at, message_id, traceparent)
    values (project, mail, letter_name, given_id, address, letter_locale, letter_facts, token.expires_at,
        mail_message_id, trace);
    if event_name is not null then
        insert into events (project_id, id, name, token_id, ready, ip, user_agent, traceparent)
        values (project, event, event_name, given_id, false, client_ip, agent, trace);
    end if;
    return next;
end $$;

-- As find_user_by_email, but of nobody a row is made up, without an id: to read and decode a user takes microseconds that
-- would tell. No targets, which nothing of a sign-in shows.
create function find_user_to_sign_in(windows text, project text, address text)
returns table (
    project_id text, id text, email text, email_version int, email_verified boolean, name text, password_hash text,
    password_updated_at timestamptz, status text, labels text[], prefs text, created_at timestamptz,
    updated_at timestamptz, accessed_at timestamptz, mfa boolean, phone text, phone_version int, phone_verified boolean,
    targets text, usages text, counted_at timestamptz, refused int
) language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    if windows is not null then
        select c.usages, c.counted_at, c.refused into usages, counted_at, refused from count_in_windows(windows) c;
        if refused is not null then
            return next;
            return;
        end if;
    end if;
    with found as materialized (
        select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
            u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa, u.phone,
            u.phone_version, u.phone_verified_at is not null, '[]'
        from users u where u.project_id = project and u.email = address
    )
    select * into project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at, status,
        labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version, phone_verified, targets
    from (
        select * from found
        union all
        select project, '', address, 1, false, '', repeat('x', 97), now(), 'active', '{}', '{}', now(), now(), now(), false,
            null, 0, false, '[]'
        where not exists (select from found)
    ) f;
    return next;
end $$;

-- Counted before the secret is compared, in a transaction of its own, so that parallel guesses count too. A guess at no
-- token is one write as well: else the time of a commit would tell whether the link is still valid.
create function count_attempt(windows text, project text, given_id text, kinds text[], given_slot int)
returns table (token tokens, usages text, counted_at timestamptz, refused int)
language plpgsql set plan_cache_mode = force_generic_plan as $$
begin
    if windows is not null then
        select c.usages, c.counted_at, c.refused into usages, counted_at, refused from count_in_windows(windows) c;
        if refused is not null then
            return next;
            return;
        end if;
    end if;
    update tokens t set attempts = t.attempts + 1
    where t.project_id = project and t.id = given_id and t.kind = any(kinds) and t.attempts < 5 and t.expires_at > now()
        and t.approved_at is null
    returning * into token;
    if not found then
        insert into missed_guesses as m (project_id, slot, guesses) values (project, given_slot, 1)
        on conflict (project_id, slot) do update set guesses = m.guesses + 1;
    end if;
    return next;
end $$;
