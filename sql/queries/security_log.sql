-- name: write_security_log(project_id, month, former, number, hash, at, rows) -> Filed
-- Rows of one chain, if that ends with `former`; a row written before stays as it is. The first after a checkpoint makes
-- the next one due, on the day after it; without one from `at` on, the time of a row.
with chain as (
    update log_chains set number = :number, hash = :hash, due_at = case
        when number > signed_number and due_at is not null then due_at
        else greatest(:at::timestamptz, (date_trunc('day', signed_at at time zone 'UTC') + interval '1 day') at time zone 'UTC')
    end
    where project_id = :project_id and month = :month and hash is not distinct from :former::bytea
    returning month
), filed as (
    insert into logs select * from jsonb_populate_recordset(null::logs, :rows::jsonb)
    where exists (select from chain) on conflict do nothing
    returning id
)
select exists (select from chain) as moved, (select count(*) from filed) as rows;

-- name: list_logs(project_id, user_id, since, names, hidden, most, skipped) -> Log*
-- `since` is the account's creation: the id may have been another user's before.
select user_id, name, ip, at, country_code, os_code, os_name, os_version, client_type, client_code, client_name,
    client_version, client_engine, client_engine_version, device_name, device_brand, device_model
from logs
where project_id = :project_id and user_id = :user_id and at >= :since and (:names::text[] is null or name = any(:names))
    and name <> all(:hidden::text[])
order by at desc, id desc limit :most offset :skipped;

-- name: count_logs(project_id, user_id, since, hidden, most)
select count(*) from (
    select from logs where project_id = :project_id and user_id = :user_id and at >= :since
        and name <> all(:hidden::text[])
    limit :most
) l;

-- name: keep_log_partitions(months)
select keep_log_partitions(:months);

-- name: get_log_partitions(most) -> LogPartitions
-- Rows that no month's partition took, `most` at most, and the months to come that have a partition.
select (select count(*) from (select from logs_default limit :most) d) as default_rows, count(*) as ahead
from pg_inherits
where inhparent = 'logs'::regclass and inhrelid::regclass::text ~ '^logs_[0-9]{6}$'
    and right(inhrelid::regclass::text, 6) > to_char(now() at time zone 'UTC', 'YYYYMM');
