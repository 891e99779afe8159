-- name: save_test_account(project_id, email, code_hash, days) -> TestAccount
-- A new code replaces the former one.
insert into test_accounts (project_id, email, code_hash, expires_at)
values (:project_id, :email, :code_hash, now() + make_interval(days => :days))
on conflict (project_id, email) do update set code_hash = excluded.code_hash, created_at = excluded.created_at,
    expires_at = excluded.expires_at, uses = 0, used_at = null
returning email, created_at, expires_at, false as expired, uses, used_at;

-- name: list_test_accounts(project_id, most) -> TestAccount*
select email, created_at, expires_at, expires_at <= now() as expired, uses, used_at from test_accounts
where project_id = :project_id order by email limit :most;

-- name: delete_test_account(project_id, email)
delete from test_accounts where project_id = :project_id and email = :email;

-- name: use_fixed_code(project_id, hashes) -> CodeOwner*
-- Whose codes these hashes are; each use is counted.
update test_accounts set uses = uses + 1, used_at = now()
where project_id = :project_id and code_hash = any(:hashes::bytea[]) and expires_at > now()
returning email;

-- name: find_test_account(project_id, email) -> CodeOwner?
select email from test_accounts where project_id = :project_id and email = :email and expires_at > now();

-- name: list_expired_test_accounts(most) -> ProjectRows*
-- Kept a month longer, so that `test-accounts list` tells why a code works no more.
select project_id, array_agg(email) as ids from (
    select project_id, email from test_accounts
    where expires_at < now() - interval '30 days'
    order by expires_at limit :most
) old group by project_id;

-- name: delete_expired_test_accounts(project_id, ids)
delete from test_accounts where project_id = :project_id and email in (
    select email from test_accounts
    where project_id = :project_id and email = any(:ids::text[]) and expires_at < now() - interval '30 days'
    for update skip locked
);
