-- name: count_sealed_rows(most) -> SealedCount*
-- Counted to `most`. Each table with sealed secrets stands here and in the next statement, under its purpose. There are
-- as many authenticators and identities as users: their keys are found one after the other in an index.
select 'dkim' as purpose, kid, count(*)::int as rows from dkim_keys group by kid
union all select 'project relay', kid, count(*)::int from project_relays group by kid
union all select 'provider', kid, count(*)::int from providers where kid is not null group by kid
union all select 'provider tokens', k.kid, (
    select count(*)::int from (select from identities where kid = k.kid limit :most) i
) from (
    with recursive keys as (
        (select kid from identities where kid is not null order by kid limit 1)
        union all
        select (select t.kid from identities t where t.kid > keys.kid order by t.kid limit 1)
        from keys where keys.kid is not null
    )
    select kid from keys where kid is not null
) k
union all select 'totp', k.kid, (
    select count(*)::int from (select from authenticators where kid = k.kid limit :most) a
) from (
    with recursive keys as (
        (select kid from authenticators where kid is not null order by kid limit 1)
        union all
        select (select t.kid from authenticators t where t.kid > keys.kid order by t.kid limit 1)
        from keys where keys.kid is not null
    )
    select kid from keys where kid is not null
) k
union all select 'webhook', kid, count(*)::int from webhook_secrets group by kid
order by purpose, kid;

-- name: list_rows_to_reseal(kid, purpose, former, project_id, user_id, row_id, most) -> SealedRow*
-- Sealed under another key than this one, those after the given row, whose key is `former`: one that can't be opened
-- stops no other. What lies below the current key in an index and what lies above it are two ranges.
select r.purpose, r.project_id, r.user_id, r.row_id, r.kid, r.sealed from (
    (select 'dkim' as purpose, project_id, '' as user_id, selector as row_id, kid, sealed from dkim_keys)
    union all (select 'project relay', project_id, '', project_id, kid, sealed from project_relays)
    union all (select 'provider', project_id, '', name, kid, sealed from providers where kid is not null)
    union all (select 'provider tokens', project_id, user_id, id, kid, sealed from identities
    where kid < :kid and (:purpose < 'provider tokens' or (
        :purpose = 'provider tokens' and (kid, project_id, user_id, id) > (:former, :project_id, :user_id, :row_id)
    ))
    order by kid, project_id, user_id, id limit :most)
    union all (select 'provider tokens', project_id, user_id, id, kid, sealed from identities
    where kid > :kid and (:purpose < 'provider tokens' or (
        :purpose = 'provider tokens' and (kid, project_id, user_id, id) > (:former, :project_id, :user_id, :row_id)
    ))
    order by kid, project_id, user_id, id limit :most)
    union all (select 'totp', project_id, user_id, id, kid, sealed from authenticators
    where kid < :kid and (:purpose < 'totp' or (
        :purpose = 'totp' and (kid, project_id, user_id, id) > (:former, :project_id, :user_id, :row_id)
    ))
    order by kid, project_id, user_id, id limit :most)
    union all (select 'totp', project_id, user_id, id, kid, sealed from authenticators
    where kid > :kid and (:purpose < 'totp' or (
        :purpose = 'totp' and (kid, project_id, user_id, id) > (:former, :project_id, :user_id, :row_id)
    ))
    order by kid, project_id, user_id, id limit :most)
    union all (select 'webhook', project_id, '', id, kid, sealed from webhook_secrets)
) r
where r.kid <> :kid
    and (r.purpose, r.kid, r.project_id, r.user_id, r.row_id) > (:purpose, :former, :project_id, :user_id, :row_id)
order by r.purpose, r.kid, r.project_id, r.user_id, r.row_id limit :most;

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

-- name: reseal_dkim_key(project_id, user_id, row_id, kid, sealed, former)
update dkim_keys set kid = :kid, sealed = :sealed
where project_id = :project_id and selector = :row_id and :user_id = '' and sealed = :former;

-- name: reseal_webhook_secret(project_id, user_id, row_id, kid, sealed, former)
update webhook_secrets set kid = :kid, sealed = :sealed
where project_id = :project_id and id = :row_id and :user_id = '' and sealed = :former;
