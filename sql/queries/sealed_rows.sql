-- name: count_sealed_rows() -> SealedCount*
-- Each table with sealed secrets stands here and in the next statement, under its purpose.
select 'project relay' as purpose, kid, count(*)::int as rows from project_relays group by kid
union all select 'provider', kid, count(*)::int from providers where kid is not null group by kid
union all select 'provider tokens', kid, count(*)::int from identities where kid is not null group by kid
union all select 'totp', kid, count(*)::int from authenticators group by kid
order by purpose, kid;

-- name: list_rows_to_reseal(kid, purpose, project_id, user_id, row_id, most) -> SealedRow*
-- Sealed under another key than this one, those after the given row: one that can't be opened stops no other.
select r.purpose, r.project_id, r.user_id, r.row_id, r.kid, r.sealed from (
    select 'project relay' as purpose, project_id, '' as user_id, project_id as row_id, kid, sealed
    from project_relays
    union all select 'provider', project_id, '', name, kid, sealed from providers where kid is not null
    union all select 'provider tokens', project_id, user_id, id, kid, sealed from identities where kid is not null
    union all select 'totp', project_id, user_id, id, kid, sealed from authenticators
) r
where r.kid <> :kid and (r.purpose, r.project_id, r.user_id, r.row_id) > (:purpose, :project_id, :user_id, :row_id)
order by r.purpose, r.project_id, r.user_id, r.row_id limit :most;

-- name: reseal_project_relay(project_id, user_id, row_id, kid, sealed, former)
-- Nothing if the row was changed meanwhile.
update project_relays set kid = :kid, sealed = :sealed
where project_id = :project_id and project_id = :row_id and :user_id = '' and sealed = :former;

-- name: reseal_authenticator(project_id, user_id, row_id, kid, sealed, former)
update authenticators set kid = :kid, sealed = :sealed
where project_id = :project_id and user_id = :user_id and id = :row_id and sealed = :former;

-- name: reseal_provider(project_id, user_id, row_id, kid, sealed, former)
update providers set kid = :kid, sealed = :sealed
where project_id = :project_id and name = :row_id and :user_id = '' and sealed = :former;

-- name: reseal_identity(project_id, user_id, row_id, kid, sealed, former)
update identities set kid = :kid, sealed = :sealed
where project_id = :project_id and user_id = :user_id and id = :row_id and sealed = :former;
