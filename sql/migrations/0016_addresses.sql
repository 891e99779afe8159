-- An address is given to an account, or reserved for its former owner, under a lock of that address. Without one a
-- statement goes by what it read before it waited for the unique index, and misses what was committed meanwhile.
-- Locks have one order: addresses, users, tokens.

-- Until the transaction ends nobody else gives or reserves this address, nor the one that `mover` has, who is about to
-- leave it. A blocked account that never proved the wanted address holds it for nobody: it has none from here on.
create function claim_address(project text, wanted text, mover text default null) returns void language plpgsql as $$
declare
    former text;
begin
    select email into former from users where project_id = project and id = mover;
    perform pg_advisory_xact_lock(key) from (
        select distinct hashtextextended(project || ' ' || address, 0) as key
        from unnest(array[wanted, former]) address where address is not null order by key
    ) keys;
    if former is distinct from (select email from users where project_id = project and id = mover) then
        raise exception 'the account got another address meanwhile' using errcode = 'serialization_failure';
    end if;
    update users set email = null, email_version = email_version + 1, updated_at = now()
    where project_id = project and email = wanted and status = 'blocked' and not email_verified
        and id is distinct from mover;
end $$;

-- While an undo of its change is open, an address is not to be had by others than the account that had it.
create function is_reserved(project text, address text, mover text default null) returns boolean language sql stable as $$
    select exists (
        select from tokens
        where project_id = project and email = address and kind = 'email_undo' and expires_at > now()
            and user_id is distinct from mover
    )
$$;

-- A user under the first of the ids that is free; nothing if none is, or if the address is taken. A reserved address is
-- given to who has just proved it, and to nobody else.
create function make_user(project text, ids text[], address text, proved boolean, given_name text, hash text)
returns setof users language plpgsql as $$
declare
    given_id text;
    made users;
begin
    if address is not null then
        perform claim_address(project, address);
        if not proved and is_reserved(project, address) then
            return;
        end if;
    end if;
    foreach given_id in array ids loop
        insert into users (project_id, id, email, email_verified, name, password_hash, password_updated_at)
        values (project, given_id, address, proved, given_name, hash, case when hash is not null then now() end)
        on conflict do nothing returning * into made;
        if found then
            return next made;
            return;
        end if;
    end loop;
end $$;

-- The user of an address that has just been proved, locked; made now if there is none.
create function ensure_user(project text, ids text[], address text)
returns table (account users, created boolean) language plpgsql as $$
begin
    perform claim_address(project, address);
    return query select u, false from users u where u.project_id = project and u.email = address for update;
    if not found then
        return query select u, true from make_user(project, ids, address, true, '', null) u;
    end if;
end $$;
