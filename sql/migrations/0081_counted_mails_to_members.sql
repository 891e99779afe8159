-- As mail_token, for the address of a member, which is looked at under a lock: a request to verify it counts itself too.
-- Windows come before the user's row, so that two requests never wait for each other.
create function mail_token_to_member(
    windows text, project text, act uuid, owner text, opened text, address text, refuse_verified boolean, given_id text,
    kind_name text, requested text, key_id text, seconds float8, mail uuid, letter_name text, letter_locale text,
    letter_facts jsonb, mail_message_id text, event uuid, event_name text, client_ip text, agent text, trace text
) returns table (
    token tokens, status text, known_address text, verified boolean, usages text, counted_at timestamptz, refused int
) language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    version int;
begin
    if windows is not null then
        select c.usages, c.counted_at, c.refused into usages, counted_at, refused from count_in_windows(windows) c;
        if refused is not null then
            return next;
            return;
        end if;
    end if;
    -- No status if the session has ended.
    select u.status, u.email, u.email_version, u.email_verified into status, known_address, version, verified
    from users u join sessions s on s.project_id = u.project_id and s.user_id = u.id
    where u.project_id = project and u.id = owner and s.id = opened and s.expires_at > now()
    for update of u for key share of s;
    if status <> 'blocked' and known_address is not distinct from address and not (verified and refuse_verified) then
        insert into tokens (project_id, id, kind, user_id, asked_as, email, email_version, kid, expires_at)
        values (project, given_id, kind_name, owner, requested, known_address, version, key_id,
            now() + make_interval(secs => seconds))
        returning * into token;
        insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id,
            traceparent)
        values (project, mail, letter_name, owner, given_id, known_address, letter_locale, letter_facts,
            token.expires_at, mail_message_id, trace);
        insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
        values (project, event, event_name, owner, client_ip, agent, trace);
        insert into acts (project_id, id) values (project, act);
    end if;
    return next;
end $$;
