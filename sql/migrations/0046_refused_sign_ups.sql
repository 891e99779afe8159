-- As before, but a blocked account gives its address up only for an account that is made: a statement that commits by
-- itself undoes nothing where it finds an id taken or an address reserved.
create or replace function make_user(
    project text, ids text[], address text, proved boolean, given_name text, hash text
) returns setof users language plpgsql as $$
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
