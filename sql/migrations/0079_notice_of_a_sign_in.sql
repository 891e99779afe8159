-- A sign-in that owes a notice writes it in the same call. The function of the same name without one stays for processes
-- of the release before.
create function sign_in(
    project text, act uuid, owner text, password_date timestamptz, earlier_hash text, new_hash text,
    session_id text, secret bytea, client_ip text, country text, device text[], seconds float8,
    notice_id text, notice_kid text, undo_seconds float8, mail uuid, letter_name text, letter_locale text,
    letter_facts jsonb, mail_message_id text, event uuid, event_name text, agent text, trace text
) returns table (opened sessions, was_verified boolean)
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    address text;
    version int;
    by_holder boolean;
    undone_until timestamptz := now() + make_interval(secs => undo_seconds);
begin
    -- Locks the row: a session that is opened at the same time is counted.
    update users u set accessed_at = now(), password_hash = case
        when u.password_hash = earlier_hash then coalesce(new_hash, u.password_hash) else u.password_hash end
    where u.project_id = project and u.id = owner and u.status <> 'blocked'
        and u.password_updated_at is not distinct from password_date
    returning u.email, u.email_version, u.email_verified, u.proved_by_holder
    into address, version, was_verified, by_holder;
    if not found then
        return;
    end if;
    -- As end_surplus_sessions does.
    delete from sessions s where s.project_id = project and s.user_id = owner and s.id <= (
        select o.id from sessions o where o.project_id = project and o.user_id = owner
        order by o.id desc offset (select p.session_limit - 1 from projects p where p.id = project) limit 1
    );
    insert into sessions (project_id, user_id, id, secret_hash, provider, provider_uid, first_factor, factors, ip,
        country_code, os_code, os_name, os_version, client_type, client_code, client_name, client_version,
        client_engine, client_engine_version, device_name, device_brand, device_model, expires_at)
    values (project, owner, session_id, secret, 'email', coalesce(address, ''), 'password', '{password}', client_ip,
        country, device[1], device[2], device[3], device[4], device[5], device[6], device[7], device[8], device[9],
        device[10], device[11], device[12], now() + make_interval(secs => seconds))
    returning * into opened;
    insert into acts (project_id, id) values (project, act);
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    values (project, event, event_name, owner, client_ip, agent, trace);
    -- An address that is not proved may be another person's.
    if notice_id is not null and was_verified then
        insert into tokens (project_id, id, kind, user_id, email, email_version, kid, expires_at, proved_by_holder)
        values (project, notice_id, 'disavowal', owner, address, version, notice_kid, undone_until, by_holder);
        insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id,
            traceparent)
        values (project, mail, letter_name, owner, notice_id, address, letter_locale, letter_facts, undone_until,
            mail_message_id, trace);
    end if;
    return next;
end $$;
