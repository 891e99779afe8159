-- name: list_chains_to_sign(most) -> Stand*
-- Chains that have grown: new ones at once, then once in each day of UTC.
select project_id, month, number, hash, now() as at from log_chains
where number > signed_number
    and (signed_at is null or signed_at < date_trunc('day', now() at time zone 'UTC') at time zone 'UTC')
order by project_id, month limit :most;

-- name: record_checkpoint(project_id, month, number, hash, at, kid, signature)
with signed as (
    update log_chains set signed_number = greatest(signed_number, :number), signed_at = :at, due_at = case
        when number > :number then (date_trunc('day', :at at time zone 'UTC') + interval '1 day') at time zone 'UTC'
    end
    where project_id = :project_id and month = :month
)
insert into log_checkpoints (project_id, month, number, hash, at, kid, signature)
values (:project_id, :month, :number, :hash, :at, :kid, :signature) on conflict do nothing;

-- name: get_overdue_of_checkpoints()
-- Seconds for which the oldest one has been due. A worker of an earlier release signs without a word about that.
select coalesce(extract(epoch from now() - min(due_at)), 0)::float8 from log_chains
where due_at <= now() and number > signed_number;

-- name: list_checkpoints(project_id) -> Checkpoint*
select project_id, month, number, hash, at, kid, signature from log_checkpoints
where project_id = :project_id order by month, number;

-- name: delete_old_checkpoints(months, most)
-- With their chains.
delete from log_checkpoints where (project_id, month, number) in (
    select project_id, month, number from log_checkpoints
    where month < to_char((now() at time zone 'UTC') - make_interval(months => :months), 'YYYY-MM') limit :most
);
