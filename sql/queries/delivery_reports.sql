-- name: record_delivery_report(project_id, mail_id, outcome, channel, detail, most, address_hash, cause, days)
-- What is learnt of a mail that was handed over, once of each outcome, or `most` times; and its recipient is suppressed,
-- where a hash is given. A report that comes again changes nothing: not even a suppression that was lifted since.
with mail as (
    select m.project_id, m.id, m.attempts from mails m
    where m.project_id = :project_id and m.id = :mail_id and m.attempts > 0 and (
        select count(*) from mail_events e
        where e.project_id = m.project_id and e.mail_id = m.id and e.name = :outcome
    ) < :most::int
), noted as (
    insert into mail_events (project_id, mail_id, name, attempt, stage, fault)
    select project_id, id, :outcome, attempts, :channel, :detail from mail
    returning project_id, mail_id
), suppressed as (
    insert into suppressions as s (project_id, address_hash, cause, mail_id, until)
    select project_id, :address_hash::bytea, :cause, mail_id, now() + make_interval(days => :days) from noted
    where :address_hash::bytea is not null
    on conflict (project_id, address_hash) do update set since = excluded.since, until = greatest(s.until, excluded.until),
        cause = case when s.cause = 'operator' and s.until > excluded.since then s.cause else excluded.cause end,
        mail_id = excluded.mail_id
)
select mail_id from noted;
