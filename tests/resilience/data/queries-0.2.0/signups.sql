-- name: record_sign_up(project_id, token_id, name, password_hash)
insert into sign_ups (project_id, token_id, name, password_hash)
values (:project_id, :token_id, :name, :password_hash);

-- name: find_sign_up(project_id, token_id) -> Signup?
select project_id, token_id, name, password_hash from sign_ups where project_id = :project_id and token_id = :token_id;
