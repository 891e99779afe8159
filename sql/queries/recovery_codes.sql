-- name: create_recovery_codes(project_id, user_id, set_id, hashes, first)
-- In the order of their places, from the first one on.
insert into recovery_codes (project_id, user_id, set_id, place, hash)
select :project_id, :user_id, :set_id, :first::int + place - 1, hash
from unnest(:hashes::text[]) with ordinality made (hash, place);

-- name: count_recovery_codes(project_id, user_id)
select count(*) from recovery_codes
where project_id = :project_id and user_id = :user_id and used_at is null and removed_at is null;

-- name: find_recovery_codes(project_id, user_id, first, last) -> RecoveryCode*
select project_id, user_id, set_id, place, hash from recovery_codes
where project_id = :project_id and user_id = :user_id and place between :first and :last
    and used_at is null and removed_at is null
order by place;

-- name: use_recovery_code(project_id, user_id, set_id, place)
-- Of any number of concurrent calls one gets it.
update recovery_codes set used_at = now()
where project_id = :project_id and user_id = :user_id and set_id = :set_id and place = :place
    and used_at is null and removed_at is null;

-- name: remove_recovery_codes(project_id, user_id)
update recovery_codes set removed_at = now()
where project_id = :project_id and user_id = :user_id and removed_at is null;

-- name: delete_recovery_codes_since(project_id, user_id, since)
delete from recovery_codes where project_id = :project_id and user_id = :user_id and created_at >= :since;

-- name: restore_recovery_codes(project_id, user_id, since)
-- One set at most was not removed by then. Codes that were used stay used.
update recovery_codes set removed_at = null
where project_id = :project_id and user_id = :user_id and removed_at >= :since;

-- name: list_old_recovery_codes(most) -> UserRows*
select project_id, array_agg(user_id) as user_ids, array_agg(set_id) as ids from (
    select project_id, user_id, set_id from recovery_codes
    where removed_at < now() - interval '72 hours'
    order by removed_at limit :most
) old group by project_id;

-- name: delete_old_recovery_codes(project_id, user_ids, ids)
delete from recovery_codes where project_id = :project_id and (user_id, set_id) in (
    select user_id, set_id from recovery_codes
    where project_id = :project_id and (user_id, set_id) in (select * from unnest(:user_ids::text[], :ids::text[]))
        and removed_at < now() - interval '72 hours'
    for update skip locked
);
