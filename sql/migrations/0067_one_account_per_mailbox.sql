-- One account per mailbox, for projects that want it (docs/accounts.md).
alter table projects add column one_per_mailbox boolean not null default false;

-- The plainest address of the mailbox that an address leads to: without what its provider is known to ignore. A change
-- of the list needs a new index over users.
create function mailbox_of(address text) returns text language sql immutable strict parallel safe as $$
    select case
        when split_part(address, '@', 2) in ('gmail.com', 'googlemail.com') then coalesce(
            nullif(replace(split_part(split_part(address, '@', 1), '+', 1), '.', ''), '') || '@gmail.com', address)
        when split_part(address, '@', 2) in (
            'outlook.com', 'hotmail.com', 'live.com', 'icloud.com', 'me.com', 'mac.com', 'fastmail.com', 'proton.me',
            'protonmail.com'
        ) then coalesce(
            nullif(split_part(split_part(address, '@', 1), '+', 1), '') || '@' || split_part(address, '@', 2), address)
        else address
    end
$$;

-- Until the end of the transaction nobody else gives this mailbox to an account; false where the project takes more.
create function claim_mailbox(project text, address text) returns boolean language plpgsql as $$
begin
    if address is null or not exists (select from projects where id = project and one_per_mailbox) then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended(project || ' ' || mailbox_of(address), 3));
    return true;
end $$;

-- Whether another account than the mover's has the mailbox already. Who has proved an address reads that mailbox: then
-- accounts that have not proved theirs give it up, or a stranger could keep its owner out.
create function shares_mailbox(project text, address text, mover text, proved boolean) returns boolean
language plpgsql as $$
declare
    mailbox text := mailbox_of(address);
begin
    if not claim_mailbox(project, address) then
        return false;
    end if;
    if proved then
        update users set email = null, email_version = email_version + 1, updated_at = now()
        where project_id = project and not email_verified and email <> address and id is distinct from mover
            and (email = mailbox or (mailbox_of(email) <> email and mailbox_of(email) = mailbox));
    end if;
    return exists (
        select from users
        where project_id = project and id is distinct from mover
            and (email = mailbox or (mailbox_of(email) <> email and mailbox_of(email) = mailbox))
    );
end $$;

create or replace function make_user(
    project text, ids text[], address text, proved boolean, given_name text, hash text
) returns setof users language plpgsql set plan_cache_mode to 'force_generic_plan' as $$
declare
    given_id text;
    made users;
begin
    if address is not null then
        -- The lock that claim_address takes too.
        perform pg_advisory_xact_lock(hashtextextended(project || ' ' || address, 0));
        if not proved and is_reserved(project, address) then
            return;
        end if;
        if not exists (
            select from unnest(ids) as wanted
            where not exists (select from users u where u.project_id = project and u.id = wanted)
        ) then
            return;
        end if;
        perform claim_address(project, address);
        if shares_mailbox(project, address, null, proved) then
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
