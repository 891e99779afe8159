-- The same rules. Without a mover, as at each sign-up, there is no former address to look for: the statements about it
-- were planned anew in each call, since a plan for no mover is always cheaper than one for any.
create or replace function claim_address(project text, wanted text, mover text default null) returns void
language plpgsql as $$
declare
    former text;
begin
    if mover is null then
        perform pg_advisory_xact_lock(hashtextextended(project || ' ' || wanted, 0));
    else
        select email into former from users where project_id = project and id = mover;
        perform pg_advisory_xact_lock(key) from (
            select distinct hashtextextended(project || ' ' || address, 0) as key
            from unnest(array[wanted, former]) address where address is not null order by key
        ) keys;
        if former is distinct from (select email from users where project_id = project and id = mover) then
            raise exception 'the account got another address meanwhile' using errcode = 'serialization_failure';
        end if;
    end if;
    update users set email = null, email_version = email_version + 1, updated_at = now()
    where project_id = project and email = wanted and status = 'blocked' and not email_verified
        and id is distinct from mover;
end $$;
