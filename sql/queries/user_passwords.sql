-- name: change_password(project_id, id, password_hash)
update users set password_hash = :password_hash, password_updated_at = now(), updated_at = now()
where project_id = :project_id and id = :id;

-- name: record_password(project_id, user_id, password_hash, kept)
-- An earlier password, so that it is not chosen again; as many as the project asks for, the current one counted.
with gone as (
    delete from password_history h
    where h.project_id = :project_id and h.user_id = :user_id and h.id not in (
        select id from password_history where project_id = :project_id and user_id = :user_id
        order by id desc limit greatest(:kept::int - 2, 0)
    )
)
insert into password_history (project_id, user_id, password_hash)
select :project_id, :user_id, :password_hash where :kept > 1 and :password_hash::text is not null;

-- name: list_earlier_passwords(project_id, user_id, most) -> PreviousPassword*
select password_hash from password_history where project_id = :project_id and user_id = :user_id
order by id desc limit :most;

-- name: void_password(project_id, id)
-- Another person may know it. Its date stops a login in progress.
update users set password_hash = null, password_updated_at = now(), updated_at = now()
where project_id = :project_id and id = :id;
