-- name: claim_subject(project_id, provider, issuer, subject)
-- Until the transaction ends nobody else signs in by this identity: of two that come at once the second finds what the
-- first has made. It comes before addresses and users.
select pg_advisory_xact_lock(
    hashtextextended(concat_ws(chr(10), :project_id::text, :provider::text, :issuer::text, :subject::text), 1)
);

-- name: find_identity_of_subject(project_id, provider, issuer, subject) -> Identity?
select project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, access_until,
    created_at, updated_at
from identities
where project_id = :project_id and provider = :provider and issuer = :issuer and subject = :subject
    and removed_at is null;

-- name: has_identity_of_address(project_id, email)
-- Only a verified one counts: anybody can have any other at some provider.
select exists (
    select from identities
    where project_id = :project_id and email = :email and email_verified and removed_at is null
);

-- name: create_identity(project_id, user_id, id, provider, issuer, subject, email, email_verified) -> Identity?
-- No row if the subject is another user's.
insert into identities (project_id, user_id, id, provider, issuer, subject, email, email_verified)
values (:project_id, :user_id, :id, :provider, :issuer, :subject, :email, :email_verified)
on conflict (project_id, provider, issuer, subject) where removed_at is null do nothing
returning project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, access_until,
    created_at, updated_at;

-- name: update_identity(project_id, user_id, id, email, email_verified) -> Identity?
-- As the provider has it now.
update identities set email = :email, email_verified = :email_verified, updated_at = now()
where project_id = :project_id and user_id = :user_id and id = :id and removed_at is null
returning project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, access_until,
    created_at, updated_at;

-- name: save_provider_tokens(project_id, user_id, id, kid, sealed, seconds) -> Identity?
-- Null seconds: the provider told no expiry. No kid: the tokens are void.
update identities set kid = :kid, sealed = :sealed, refresh_until = null, updated_at = now(),
    access_until = now() + make_interval(secs => :seconds::int)
where project_id = :project_id and user_id = :user_id and id = :id and removed_at is null
returning project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, access_until,
    created_at, updated_at;

-- name: claim_refresh(project_id, user_id, id, seconds) -> Identity?
-- Of any number of concurrent calls one gets it.
update identities set refresh_until = now() + make_interval(secs => :seconds)
where project_id = :project_id and user_id = :user_id and id = :id and removed_at is null
    and (refresh_until is null or refresh_until < now())
returning project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, access_until,
    created_at, updated_at;

-- name: release_refresh(project_id, user_id, id)
update identities set refresh_until = null where project_id = :project_id and user_id = :user_id and id = :id;

-- name: find_identity(project_id, user_id, id) -> Identity?
select project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, access_until,
    created_at, updated_at
from identities where project_id = :project_id and user_id = :user_id and id = :id and removed_at is null;

-- name: find_identity_of_project(project_id, id) -> Identity?
select project_id, user_id, id, provider, issuer, subject, email, email_verified, kid, sealed, access_until,
    created_at, updated_at
from identities where project_id = :project_id and id = :id and removed_at is null;

-- name: list_identities_of_sessions(project_id, user_id) -> SessionIdentity*
-- Whose tokens the sessions of a user show.
select s.id as session_id, i.project_id, i.user_id, i.id, i.provider, i.kid, i.sealed, i.access_until
from sessions s join identities i
    on i.project_id = s.project_id and i.user_id = s.user_id and i.id = s.identity_id
where s.project_id = :project_id and s.user_id = :user_id and i.removed_at is null and i.kid is not null;

-- name: count_identities(project_id, user_id)
select count(*)::int from identities where project_id = :project_id and user_id = :user_id and removed_at is null;

-- name: remove_identity(project_id, user_id, id)
-- Its tokens go for good.
update identities set removed_at = now(), kid = null, sealed = null, access_until = null
where project_id = :project_id and user_id = :user_id and id = :id and removed_at is null;

-- name: delete_identities_since(project_id, user_id, since)
delete from identities where project_id = :project_id and user_id = :user_id and created_at >= :since;

-- name: restore_identities(project_id, user_id, since)
-- Not one that signs another user in by now.
update identities i set removed_at = null, updated_at = now()
where i.project_id = :project_id and i.user_id = :user_id and i.created_at < :since and i.removed_at >= :since
    and not exists (
        select from identities o
        where o.project_id = i.project_id and o.provider = i.provider and o.issuer = i.issuer
            and o.subject = i.subject and o.id <> i.id and (o.removed_at is null or o.removed_at > i.removed_at)
    );

-- name: list_old_identities(most) -> UserRows*
-- What no undo link needs any more.
select project_id, array_agg(user_id) as user_ids, array_agg(id) as ids from (
    select project_id, user_id, id from identities
    where removed_at < now() - interval '72 hours'
    order by removed_at limit :most
) old group by project_id;

-- name: delete_old_identities(project_id, user_ids, ids)
delete from identities where project_id = :project_id and (user_id, id) in (
    select user_id, id from identities
    where project_id = :project_id and (user_id, id) in (select * from unnest(:user_ids::text[], :ids::text[]))
        and removed_at < now() - interval '72 hours'
    for update skip locked
);

-- name: forget_unshown_tokens(most)
-- Tokens that clients of the project are not shown any more.
update identities set kid = null, sealed = null, access_until = null
where (project_id, user_id, id) in (
    select i.project_id, i.user_id, i.id from projects p cross join lateral (
        select project_id, user_id, id from identities
        where project_id = p.id and kid is not null limit :most
    ) i
    where not p.provider_tokens limit :most
);
