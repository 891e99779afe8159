-- name: list_chains_to_sign(most) -> Stand*
-- Chains that have grown: new ones at once, then once in each day of UTC.
select project_id, month, number, hash, now() as at from log_chains
where number > signed_number
    and (signed_at is null or signed_at < date_trunc('day', now() at time zone 'UTC') at time zone 'UTC')
order by project_id, month limit :most;

-- name: record_checkpoint(project_id, month, number, hash, at, kid, signature)
with signed as (
    update log_chains set signed_number = greatest(signed_number, :number), signed_at = :at
    where project_id = :project_id and month = :month
)
insert into log_checkpoints (project_id, month, number, hash, at, kid, signature)
values (:project_id, :month, :number, :hash, :at, :kid, :signature) on conflict do nothing;

-- name: list_checkpoints(project_id) -> Checkpoint*
select project_id, month, number, hash, at, kid, signature from log_checkpoints
where project_id = :project_id order by month, number;

-- name: delete_old_checkpoints(months, most)
-- With their chains.
delete from log_checkpoints where (project_id, month, number) in (
    select project_id, month, number from log_checkpoints
    where month < to_char((now() at time zone 'UTC') - make_interval(months => :months), 'YYYY-MM') limit :most
);
