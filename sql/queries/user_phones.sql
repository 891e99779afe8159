-- name: is_number_proved_by_holder(project_id, id)
select phone_verified_at is not null and phone_by_holder from users where project_id = :project_id and id = :id;

-- name: ensure_user_of_number(project_id, ids, phone) -> NumberOwner?
-- The user of a number that was just proved, locked; created if no holder of an account has proved it.
select (e.account).project_id, (e.account).id, (e.account).email, (e.account).email_version, (e.account).email_verified, (e.account).name, (e.account).password_hash,
    (e.account).password_updated_at, (e.account).status, (e.account).labels, (e.account).prefs, (e.account).created_at, (e.account).updated_at, (e.account).accessed_at, (e.account).mfa,
    (e.account).phone, (e.account).phone_version, (e.account).phone_verified_at is not null as phone_verified,
    case when (e.account).has_targets then null else '[]' end as targets,
    e.created,
    not e.created and (e.account).accessed_at < now() - interval '400 days'
        and (e.account).phone_verified_at < now() - interval '400 days'
        and has_other_way_in((e.account)) as recycled
from ensure_user_of_number(:project_id, :ids, :phone) e;

-- name: claim_number(project_id, phone)
-- Before the user's row is locked, as an address is.
select claim_number(:project_id, :phone);

-- name: find_number_holder(project_id, id, phone) -> NumberHolder?
select u.id, u.accessed_at < now() - interval '400 days' and u.phone_verified_at < now() - interval '400 days'
    and not (
        u.password_hash is not null or (u.email is not null and u.email_verified)
        or exists (
            select from authenticators a
            where a.project_id = :project_id and a.user_id = u.id and a.verified_at is not null and a.removed_at is null
        )
        or exists (
            select from passkeys k where k.project_id = :project_id and k.user_id = u.id and k.removed_at is null
        )
        or exists (
            select from identities i where i.project_id = :project_id and i.user_id = u.id and i.removed_at is null
        )
    ) as yields
from users u
where u.project_id = :project_id and u.phone = :phone and u.id <> :id and u.phone_verified_at is not null
    and u.phone_by_holder;

-- name: give_number(project_id, id, phone)
select give_number(:project_id, :phone, :id);

-- name: verify_phone(project_id, id, phone, by_holder) -> User?
-- A user who has proved it as the holder stays the holder.
update users set phone_by_holder = :by_holder or (phone_verified_at is not null and phone_by_holder),
    phone_verified_at = now(), updated_at = now()
where project_id = :project_id and id = :id and phone = :phone
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: unverify_phone(project_id, id) -> User?
update users set phone_verified_at = null, phone_by_holder = false, phone_version = phone_version + 1, updated_at = now()
where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: change_phone(project_id, id, phone) -> User?
-- Every code for the former number is void by its version.
with former as (
    insert into phone_changes (project_id, user_id, phone, verified_at, by_holder)
    select project_id, id, phone, phone_verified_at, phone_by_holder from users
    where project_id = :project_id and id = :id
)
update users set phone = :phone, phone_version = phone_version + 1, phone_verified_at = null, phone_by_holder = false,
    kept = kept or phone_verified_at is not null, updated_at = now()
where project_id = :project_id and id = :id
returning project_id, id, email, email_version, email_verified, name, password_hash, password_updated_at,
    status, labels, prefs, created_at, updated_at, accessed_at, mfa, phone, phone_version,
    phone_verified_at is not null as phone_verified,
    case when has_targets then null else '[]' end as targets;

-- name: find_former_phone(project_id, id, since)
-- The one that the user had before the first change since then.
select phone from phone_changes
where project_id = :project_id and user_id = :id and changed_at >= :since order by id limit 1;

-- name: restore_phone(project_id, id, since)
-- As it was before the first change since then; claim that number first. Proved by another account meanwhile, it is not proved here any more.
update users u set phone = c.phone, phone_version = u.phone_version + 1, updated_at = now(),
    phone_verified_at = case when not c.taken then c.verified_at end, phone_by_holder = c.by_holder and not c.taken
from (
    select f.phone, f.verified_at, f.by_holder, exists (
        select from users o where o.project_id = :project_id and o.phone = f.phone and o.id <> :id
            and o.phone_verified_at is not null
    ) as taken
    from phone_changes f
    where f.project_id = :project_id and f.user_id = :id and f.changed_at >= :since order by f.id limit 1
) c
where u.project_id = :project_id and u.id = :id;

-- name: delete_phone_changes(project_id, user_id, since)
delete from phone_changes where project_id = :project_id and user_id = :user_id
    and (:since::timestamptz is null or changed_at >= :since);

-- name: list_old_phone_changes(most) -> UserRows*
select project_id, array_agg(user_id) as user_ids, array_agg(id) as ids from (
    select project_id, user_id, id from phone_changes
    where changed_at < now() - interval '72 hours'
    order by changed_at limit :most
) old group by project_id;

-- name: delete_old_phone_changes(project_id, user_ids, ids)
delete from phone_changes where project_id = :project_id and (user_id, id) in (
    select user_id, id from phone_changes
    where project_id = :project_id and (user_id, id) in (select * from unnest(:user_ids::text[], :ids::bigint[]))
        and changed_at < now() - interval '72 hours'
    for update skip locked
);

-- name: is_number_verified(project_id, phone)
select 1 from users where project_id = :project_id and phone = :phone and phone_verified_at is not null;
