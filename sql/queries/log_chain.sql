-- name: lock_log_chain(project_id, month) -> Chain?
-- Until the transaction ends: others that file rows of the same chain wait.
select month, number, hash, previous_month, previous_number, previous_hash, signed_number, signed_at from log_chains
where project_id = :project_id and month = :month for update;

-- name: create_log_chain(project_id, month)
insert into log_chains (project_id, month, previous_month, previous_number, previous_hash)
select :project_id, :month, p.month, p.number, p.hash
from (values (0)) one left join lateral (
    select month, number, hash from log_chains
    where project_id = :project_id and month < :month and number > 0 order by month desc limit 1
) p on true
on conflict do nothing;

-- name: withdraw_log_rows(project_id, ids, number) -> RowId*
-- Rows of the open transaction: those up to `number` stood before.
delete from logs where project_id = :project_id and id = any(:ids::uuid[]) and chain_number > :number returning id;

-- name: list_log_chains(project_id) -> Chain*
select month, number, hash, previous_month, previous_number, previous_hash, signed_number, signed_at from log_chains
where project_id = :project_id order by month;

-- name: get_first_kept_month(months)
select to_char((now() at time zone 'UTC') - make_interval(months => :months), 'YYYY-MM');

-- name: find_log_chain(project_id, month) -> Chain?
select month, number, hash, previous_month, previous_number, previous_hash, signed_number, signed_at from log_chains
where project_id = :project_id and month = :month;

-- name: keep_snapshot()
-- As the first of a transaction: chain and rows are then of one moment.
set transaction isolation level repeatable read;

-- name: read_without_deadline()
-- Until the transaction ends. Postgres sorts a chain before its first row comes, and its reader may take its time.
select set_config('statement_timeout', '0', true) || set_config('idle_in_transaction_session_timeout', '0', true);

-- name: read_log_chain(project_id, since, until) -> ChainedRow*
select id, at, name, user_id, ip, country_code, os_code, os_name, os_version, client_type, client_code, client_name,
    client_version, client_engine, client_engine_version, device_name, device_brand, device_model, chain_number, salt,
    hash, erased
from logs
where project_id = :project_id and at >= :since and at < :until and chain_number is not null
order by chain_number, id;

-- name: get_unchained_rows(project_id, first_month, months) -> Unchained
-- Rows without a hash, and those of a month whose chain is gone.
select count(*) filter (where hash is null) as rows, min(at) filter (where hash is null) as oldest,
    max(at) filter (where hash is null) as newest, count(*) filter (where hash is not null) as astray
from logs
where project_id = :project_id and to_char(at at time zone 'UTC', 'YYYY-MM') >= :first_month and (
    hash is null or chain_number is null or to_char(at at time zone 'UTC', 'YYYY-MM') <> all(:months::text[])
);

-- name: list_log_rows(project_id, ids) -> ChainedRow*
select id, at, name, user_id, ip, country_code, os_code, os_name, os_version, client_type, client_code, client_name,
    client_version, client_engine, client_engine_version, device_name, device_brand, device_model, chain_number, salt,
    hash, erased
from logs where project_id = :project_id and id = any(:ids::uuid[]);

-- name: erase_log_rows(project_id, ids, digests)
-- What happened, and when, stays; from where and whose it was does not. Without its salt nobody can try values against
-- a digest.
update logs set user_id = null, ip = '', country_code = '', os_code = '', os_name = '', os_version = '',
    client_type = '', client_code = '', client_name = '', client_version = '', client_engine = '',
    client_engine_version = '', device_name = '', device_brand = '', device_model = '', salt = null, erased = coalesce(erased, e.digest)
from unnest(:ids::uuid[], :digests::bytea[]) as e (id, digest)
where logs.project_id = :project_id and logs.id = e.id;

-- name: delete_old_log_chains(months, most)
-- Those whose rows are gone with their partition.
delete from log_chains where (project_id, month) in (
    select project_id, month from log_chains
    where month < to_char((now() at time zone 'UTC') - make_interval(months => :months), 'YYYY-MM') limit :most
);
