-- Acts that call functions which read tables, each as one function: its statements are one after the other, as Citus
-- takes them, and its plans are kept. Each writes the row of its act where it writes anything.
create function create_account(
    project text, act uuid, given_id text, address text, given_name text, hash text,
    event uuid, event_name text, client_ip text, agent text, trace text
) returns setof users language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    made users;
begin
    select * into made from make_user(project, array[given_id], address, false, given_name, hash);
    if not found then
        return;
    end if;
    insert into acts (project_id, id) values (project, act);
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    values (project, event, event_name, made.id, client_ip, agent, trace);
    return next made;
end $$;

create function sign_in(
    project text, act uuid, owner text, password_date timestamptz, earlier_hash text, new_hash text,
    session_id text, secret bytea, client_ip text, country text, device text[], seconds float8,
    event uuid, event_name text, agent text, trace text
) returns table (opened sessions, was_verified boolean)
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    address text;
begin
    -- Locks the row: a session that is opened at the same time is counted.
    update users u set accessed_at = now(), password_hash = case
        when u.password_hash = earlier_hash then coalesce(new_hash, u.password_hash) else u.password_hash end
    where u.project_id = project and u.id = owner and u.status <> 'blocked'
        and u.password_updated_at is not distinct from password_date
    returning u.email, u.email_verified into address, was_verified;
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
    return next;
end $$;

create function recover_account(
    project text, act uuid, owner text, used_id text, hash text, kept int, notice_id text, notice_kid text,
    undo_seconds float8, mail uuid, letter_name text, letter_locale text, letter_facts jsonb, counts_passkeys boolean,
    mail_message_id text, event uuid, event_name text, client_ip text, agent text, trace text
) returns setof tokens language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    holder users;
    used tokens;
    many bigint := 0;
    undone_until timestamptz := now() + make_interval(secs => undo_seconds);
begin
    select * into holder from users u
    where u.project_id = project and u.id = owner and u.status <> 'blocked' for update;
    if not found then
        return;
    end if;
    delete from tokens t
    where t.project_id = project and t.id = used_id and t.user_id = owner and t.expires_at > now()
        and t.email = holder.email and t.email_version = holder.email_version
    returning * into used;
    if not found then
        return;
    end if;
    delete from password_history p
    where p.project_id = project and p.user_id = owner and p.id not in (
        select h.id from password_history h where h.project_id = project and h.user_id = owner
        order by h.id desc limit greatest(kept - 2, 0)
    );
    if kept > 1 and holder.password_hash is not null then
        insert into password_history (project_id, user_id, password_hash) values (project, owner, holder.password_hash);
    end if;
    update users u set password_hash = hash, password_updated_at = now(), updated_at = now(), email_verified = true,
        proved_by_holder = true
    where u.project_id = project and u.id = owner;
    if not (holder.email_verified and holder.proved_by_holder) then
        perform remove_factors(project, owner);
    end if;
    perform revoke_tokens(project, owner, array_remove(
        array[holder.email, case when holder.phone_verified_at is not null then holder.phone end], null
    ));
    -- After the lock: a session that was opened while this waited ends too.
    perform end_sessions(project, owner);
    if counts_passkeys then
        many := count_passkeys(project, owner);
    end if;
    insert into tokens (project_id, id, kind, user_id, email, email_version, kid, expires_at, proved_by_holder)
    values (project, notice_id, 'disavowal', owner, holder.email, holder.email_version, notice_kid, undone_until, true);
    insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id,
        traceparent)
    values (project, mail, letter_name, owner, notice_id, holder.email, letter_locale,
        case when many > 0 then letter_facts || jsonb_build_object('passkeys', many) else letter_facts end,
        undone_until, mail_message_id, trace);
    insert into events (project_id, id, name, user_id, ip, user_agent, traceparent)
    values (project, event, event_name, owner, client_ip, agent, trace);
    insert into acts (project_id, id) values (project, act);
    return next used;
end $$;
