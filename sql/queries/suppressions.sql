-- name: find_suppressed(project_id, hashes) -> AddressHash*
select address_hash from suppressions
where project_id = :project_id and address_hash = any(:hashes::bytea[]) and until > now();

-- name: suppress(project_id, address_hash, cause, mail_id, days)
-- One that an operator has set stays an operator's to lift; none ends sooner than it would have.
insert into suppressions as s (project_id, address_hash, cause, mail_id, until)
values (:project_id, :address_hash, :cause, :mail_id, now() + make_interval(days => :days))
on conflict (project_id, address_hash) do update set since = excluded.since, until = greatest(s.until, excluded.until),
    cause = case when s.cause = 'operator' and s.until > excluded.since then s.cause else excluded.cause end,
    mail_id = coalesce(excluded.mail_id, s.mail_id);

-- name: list_suppressions(project_id, hashes, most) -> Suppression*
-- The newest first; a recipient is known as long as the mail is kept.
select encode(s.address_hash, 'hex') as address_hash, s.cause, s.since, s.until, s.mail_id, m.recipient
from suppressions s left join mails m on m.project_id = s.project_id and m.id = s.mail_id
where s.project_id = :project_id and s.until > now()
    and (:hashes::bytea[] is null or s.address_hash = any(:hashes))
order by s.since desc, s.address_hash limit :most;

-- name: lift_suppressions(project_id, hashes, causes)
delete from suppressions
where project_id = :project_id and address_hash = any(:hashes::bytea[]) and cause = any(:causes::text[]);

-- name: list_expired_suppressions(most) -> ProjectRows*
select project_id, array_agg(address_hash) as ids from (
    select project_id, address_hash from suppressions
    where until < now()
    order by until limit :most
) old group by project_id;

-- name: delete_expired_suppressions(project_id, ids)
delete from suppressions where project_id = :project_id and address_hash in (
    select address_hash from suppressions
    where project_id = :project_id and address_hash = any(:ids::bytea[]) and until < now()
    for update skip locked
);
