-- For statements that lock a user first and then end what was written up to the lock: these look anew, while the
-- statement that calls them still sees the rows of its own beginning.

-- All that the holder of the address may not have added: factors, passkeys, identities, number and targets.
create function remove_factors(project text, owner text) returns void language sql volatile as $$
    delete from identities where project_id = project and user_id = owner;
    delete from authenticators where project_id = project and user_id = owner;
    delete from passkeys where project_id = project and user_id = owner;
    delete from recovery_codes where project_id = project and user_id = owner;
    delete from targets where project_id = project and user_id = owner;
    delete from mfa_changes where project_id = project and user_id = owner;
    delete from phone_changes where project_id = project and user_id = owner;
    update users set mfa = false, phone = null, phone_verified_at = null, phone_by_holder = false,
        phone_version = phone_version + case when phone is null then 0 else 1 end
    where project_id = project and id = owner;
$$;

-- The user's own tokens but for those of notices, and those requested by these addresses that have no user yet.
create function revoke_tokens(project text, owner text, addresses text[]) returns void language sql volatile as $$
    delete from tokens
    where project_id = project and kind not in ('disavowal', 'email_undo')
        and (user_id = owner or (user_id is null and email = any(addresses)));
$$;

create function end_sessions(project text, owner text) returns void language sql volatile as $$
    delete from sessions where project_id = project and user_id = owner;
$$;

create function count_passkeys(project text, owner text) returns bigint language sql volatile as $$
    select count(*) from passkeys where project_id = project and user_id = owner and removed_at is null;
$$;
