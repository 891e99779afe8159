-- name: list_projects_that_end_accounts() -> EndRules*
select id as project_id, locale, unverified_days, anonymous_days, end_warning_days as warning_days, end_made_accounts
from projects
where unverified_days > 0 or anonymous_days > 0 order by id;

-- name: find_end_window(project_id, kept, after, days, looked)
-- When the last of `looked` accounts was made that may end, made after `after` and so many days ago; null where there
-- are none. Much of what keeps an account from ending is in no index, so accounts are looked at a window at a time.
select max(w.created_at) from (
    (
        select created_at from users
        where project_id = :project_id and not kept and not email_verified and phone_verified_at is null
            and not :kept::bool and created_at > :after and created_at < now() - make_interval(days => :days)
        order by created_at limit :looked
    )
    union all
    (
        select created_at from users
        where project_id = :project_id and kept and not email_verified and phone_verified_at is null
            and :kept and created_at > :after and created_at < now() - make_interval(days => :days)
        order by created_at limit :looked
    )
) w;

-- name: lock_users_to_end(project_id, after, until, unverified, anonymous, warning, to_warn, most) -> EndingUser*
-- Of a window, by days. Never one with a proved address or number, an identity or a passkey. A guest whose session was
-- renewed is still there.
-- With `warning` those alone that were warned of this address so long ago; with `to_warn` those that were not yet.
select u.id, u.email is null as anonymous from users u
where u.project_id = :project_id and not u.kept and not u.email_verified and u.phone_verified_at is null
    and u.created_at > :after and u.created_at <= :until
    and case when u.email is not null then
        coalesce(u.email_since, u.created_at) < now() - make_interval(days => nullif(:unverified::int, 0))
        and case when :to_warn::bool then
            coalesce(u.end_warned_at < coalesce(u.email_since, u.created_at), true)
        else :warning::int = 0 or u.end_warned_at >= coalesce(u.email_since, u.created_at)
            and u.end_warned_at < now() - make_interval(days => :warning)
        end
    else u.password_hash is null and u.created_at < now() - make_interval(days => nullif(:anonymous, 0))
        and not exists (
            select from sessions s where s.project_id = :project_id and s.user_id = u.id
                and s.updated_at > now() - make_interval(days => nullif(:anonymous, 0))
        )
    end
    and not exists (
        select from identities i where i.project_id = :project_id and i.user_id = u.id and i.removed_at is null
    )
    and not exists (
        select from passkeys k where k.project_id = :project_id and k.user_id = u.id and k.removed_at is null
    )
order by u.created_at limit :most for update of u skip locked;

-- name: lock_made_users_to_end(project_id, after, until, unverified, anonymous, warning, to_warn, most) -> EndingUser*
-- The same among kept accounts.
select u.id, u.email is null as anonymous from users u
where u.project_id = :project_id and u.kept and not u.email_verified and u.phone_verified_at is null
    and u.created_at > :after and u.created_at <= :until
    and case when u.email is not null then
        coalesce(u.email_since, u.created_at) < now() - make_interval(days => nullif(:unverified::int, 0))
        and case when :to_warn::bool then
            coalesce(u.end_warned_at < coalesce(u.email_since, u.created_at), true)
        else :warning::int = 0 or u.end_warned_at >= coalesce(u.email_since, u.created_at)
            and u.end_warned_at < now() - make_interval(days => :warning)
        end
    else u.password_hash is null and u.created_at < now() - make_interval(days => nullif(:anonymous, 0))
        and not exists (
            select from sessions s where s.project_id = :project_id and s.user_id = u.id
                and s.updated_at > now() - make_interval(days => nullif(:anonymous, 0))
        )
    end
    and not exists (
        select from identities i where i.project_id = :project_id and i.user_id = u.id and i.removed_at is null
    )
    and not exists (
        select from passkeys k where k.project_id = :project_id and k.user_id = u.id and k.removed_at is null
    )
order by u.created_at limit :most for update of u skip locked;

-- name: mark_users_warned(project_id, user_ids) -> WarnedUser*
update users set end_warned_at = now() where project_id = :project_id and id = any(:user_ids::text[])
returning id, email, coalesce(email_since, created_at) as since, end_warned_at as warned_at;

-- name: end_users(project_id, user_ids, event_ids, event, ip, user_agent)
-- With all that they have; their mails are not sent any more.
with gone as (
    delete from users where project_id = :project_id and id = any(:user_ids::text[])
), cancelled as (
    update mails set state = 'cancelled', lease_by = null, last_fault = 'its account has ended', ended_at = now()
    where project_id = :project_id and user_id = any(:user_ids) and state in ('pending', 'sending')
    returning project_id, id, attempts, last_fault
), told as (
    insert into mail_events (project_id, mail_id, name, attempt, fault)
    select project_id, id, 'cancelled', attempts, last_fault from cancelled
)
insert into events (project_id, id, name, user_id, ready, ip, user_agent)
select :project_id, e.id, :event, e.user_id, true, :ip, :user_agent
from unnest(:user_ids, :event_ids::uuid[]) e (user_id, id);
