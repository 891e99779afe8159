-- name: file_logs(rows)
-- Many rows in one statement; a row that was filed before stays as it is.
insert into logs select * from jsonb_populate_recordset(null::logs, :rows::jsonb) on conflict do nothing;

-- name: list_logs(project_id, user_id, since, names, hidden, most, skipped) -> Log*
-- `since` is when the account was made: an id may have been somebody else's before.
select user_id, name, ip, at, country_code, os_code, os_name, os_version, client_type, client_code, client_name,
    client_version, client_engine, client_engine_version, device_name, device_brand, device_model
from logs
where project_id = :project_id and user_id = :user_id and at >= :since and (:names::text[] is null or name = any(:names))
    and name <> all(:hidden::text[])
order by at desc, id desc limit :most offset :skipped;

-- name: count_logs(project_id, user_id, since, hidden)
select count(*) from logs where project_id = :project_id and user_id = :user_id and at >= :since
    and name <> all(:hidden::text[]);

-- name: keep_log_partitions(months)
select keep_log_partitions(:months);
