-- name: record_used_id_token(project_id, digest, expires_at)
-- Nothing if it was used before; one that is being used by another transaction is waited for.
insert into used_id_tokens (project_id, digest, expires_at)
values (:project_id, :digest, to_timestamp(:expires_at::bigint)) on conflict do nothing;

-- name: list_expired_used_id_tokens(most) -> ProjectRows*
select project_id, array_agg(digest) as ids from (
    select project_id, digest from used_id_tokens
    where expires_at < now()
    order by expires_at limit :most
) old group by project_id;

-- name: delete_expired_used_id_tokens(project_id, ids)
delete from used_id_tokens where project_id = :project_id and digest in (
    select digest from used_id_tokens
    where project_id = :project_id and digest = any(:ids::bytea[]) and expires_at < now()
    for update skip locked
);
