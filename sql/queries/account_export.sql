-- name: list_logs_before(project_id, user_id, since, hidden, before, before_id, most) -> ExportedLog*
-- As `list_logs`, page by page: the entries older than the last one of the page before.
select user_id, name, ip, at, country_code, os_code, os_name, os_version, client_type, client_code, client_name,
    client_version, client_engine, client_engine_version, device_name, device_brand, device_model, id
from logs
where project_id = :project_id and user_id = :user_id and at >= :since and name <> all(:hidden::text[])
    and at <= :before and (at, id) < (:before, :before_id::uuid)
order by at desc, id desc limit :most;

-- name: list_mails_before(project_id, user_id, since, before, before_id, most) -> MemberMail*
select m.id, m.letter, m.recipient, m.state, m.attempts, m.created_at,
    coalesce(m.ended_at, e.at, m.created_at) as changed_at, coalesce(e.stage, '') as stage, m.last_code, m.last_fault,
    coalesce(e.name, '') as last
from mails m left join lateral (
    select at, name, stage from mail_events where project_id = m.project_id and mail_id = m.id order by id desc limit 1
) e on true
where m.project_id = :project_id and m.user_id = :user_id and m.created_at >= :since and m.state <> 'void'
    and m.created_at <= :before and (m.created_at, m.id) < (:before, :before_id::uuid)
order by m.created_at desc, m.id desc limit :most;

-- name: list_sms_before(project_id, user_id, since, before, before_id, most) -> MemberSms*
select id, kind, recipient, state, created_at, coalesce(ended_at, created_at) as changed_at from sms
where project_id = :project_id and user_id = :user_id and created_at >= :since and state <> 'void'
    and created_at <= :before and (created_at, id) < (:before, :before_id::uuid)
order by created_at desc, id desc limit :most;
