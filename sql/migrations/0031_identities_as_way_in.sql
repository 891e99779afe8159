-- What else opens an account than its number: a provider does too.
create or replace function has_other_way_in(account users) returns boolean language sql stable as $$
    select account.password_hash is not null or (account.email is not null and account.email_verified) or exists (
        select from authenticators a
        where a.project_id = account.project_id and a.user_id = account.id and a.verified_at is not null
            and a.removed_at is null
    ) or exists (
        select from passkeys k
        where k.project_id = account.project_id and k.user_id = account.id and k.removed_at is null
    ) or exists (
        select from identities i
        where i.project_id = account.project_id and i.user_id = account.id and i.removed_at is null
    )
$$;
