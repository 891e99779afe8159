-- name: claim_mails(project_id, ids, worker, lease) -> Claim*
-- One worker gets each mail that is due, with everything that its letter needs; a lease that ran out is taken over from
-- its worker.
-- `attempts` is the fencing token: a later claim has a higher one.
-- `prefs` only where they name a time zone or a locale; they are the user's text and are read by the worker.
-- A blocked account that never verified its address does not count as the address's user.
-- Whose suppressions the project has, `suppressions.confirm` finds out by the keyed hashes.
with free as (
    select id, project_id, state, attempts, lease_by from mails
    where project_id = :project_id and id = any(:ids::uuid[]) and state in ('pending', 'sending') and due_at <= now()
    for update skip locked
), claimed as (
    update mails m set state = 'sending', attempts = m.attempts + 1, lease_by = :worker,
        due_at = now() + make_interval(secs => :lease)
    from free where m.id = free.id and m.project_id = :project_id
    returning m.*, free.state = 'sending' as stolen, free.lease_by as loser
), lost as (
    insert into mail_events (project_id, mail_id, name, attempt, worker)
    select project_id, id, 'lost', attempts - 1, coalesce(loser, '') from claimed where stolen
)
select c.project_id, c.id, c.letter, c.recipient, c.locale, c.facts, c.attempts, c.stolen, c.message_id, c.token_id,
    c.last_fault, c.deadline_at <= now() as late, c.created_at,
    p.name as project_name, p.sender_name, p.sender_address, p.plain_http, p.verification_url,
    array(select hostname from platforms where project_id = c.project_id) as hostnames,
    (select extract(epoch from max(changed_at))::text || ' ' || count(*) from template_overrides
        where project_id = c.project_id) as overrides,
    (select string_agg(selector || ' ' || extract(epoch from activated_at)::text, ',' order by selector) from dkim_keys
        where project_id = c.project_id and state = 'active') as dkim,
    coalesce(b.reply_to, '') as reply_to, coalesce(b.support_address, '') as support_address,
    coalesce(b.accent_color, '') as accent_color, coalesce(b.footer_text, '') as footer_text, b.logo_digest,
    t.kind, t.user_id as token_user_id, t.asked_as as requested_user_id, t.email as token_email, t.email_version as token_email_version, t.kid,
    t.created_at as token_created_at, t.expires_at as token_expires_at,
    u.id as user_id, u.email_version, u.status as user_status,
    case when strpos(u.prefs, '"timezone"') > 0 or strpos(u.prefs, '"locale"') > 0 then u.prefs end as prefs,
    c.traceparent, exists (select from suppressions where project_id = c.project_id) as has_suppressions,
    false as suppressed,
    p.sign_up = 'open' or (p.sign_up = 'domains' and split_part(c.recipient, '@', 2) = any(p.sign_up_domains))
        or (p.sign_up = 'invitation' and exists (
            select from invitations i where i.project_id = c.project_id and i.uses < i.most_uses and i.expires_at > now()
                and (i.id = t.invitation_id or i.email = c.recipient)
        )) as may_sign_up,
    split_part(c.recipient, '@', 2) = any(p.test_domains) as at_test_domain,
    p.one_per_mailbox
from claimed c join projects p on p.id = c.project_id
left join branding b on b.project_id = c.project_id
left join tokens t on t.project_id = c.project_id and t.id = c.token_id
left join users u on u.project_id = c.project_id and u.email = c.recipient
    and (u.status <> 'blocked' or u.email_verified);

-- name: draft_mail(project_id, id, letter, recipient, locale) -> Claim?
-- What a claim of such a letter would hold, with no mail in the outbox; without such a project a sender of no project.
select coalesce(p.id, '') as project_id, :id::uuid as id, :letter::text as letter, :recipient::text as recipient,
    coalesce(nullif(:locale::text, ''), p.locale, 'en') as locale, '{}'::jsonb as facts, 1 as attempts, false as stolen,
    '' as message_id, null::text as token_id, null::text as last_fault, false as late, now() as created_at,
    coalesce(p.name, 'Accounts') as project_name, coalesce(p.sender_name, '') as sender_name,
    coalesce(p.sender_address, '') as sender_address, coalesce(p.plain_http, false) as plain_http,
    coalesce(p.verification_url, '') as verification_url,
    array(select hostname from platforms where project_id = p.id) as hostnames,
    (select extract(epoch from max(changed_at))::text || ' ' || count(*) from template_overrides
        where project_id = p.id) as overrides,
    (select string_agg(selector || ' ' || extract(epoch from activated_at)::text, ',' order by selector) from dkim_keys
        where project_id = p.id and state = 'active') as dkim,
    coalesce(b.reply_to, '') as reply_to, coalesce(b.support_address, '') as support_address,
    coalesce(b.accent_color, '') as accent_color, coalesce(b.footer_text, '') as footer_text, b.logo_digest,
    null::text as kind, null::text as token_user_id, null::text as requested_user_id, null::text as token_email,
    null::int as token_email_version, null::text as kid, null::timestamptz as token_created_at,
    null::timestamptz as token_expires_at,
    null::text as user_id, null::int as email_version, null::text as user_status, null::text as prefs,
    null::text as traceparent, false as has_suppressions, false as suppressed, true as may_sign_up,
    false as at_test_domain, false as one_per_mailbox
from (select 1) one left join projects p on p.id = :project_id::text left join branding b on b.project_id = p.id;

-- name: note_override_fault(project_id, id, attempts, fault)
-- Among the facts of the letter, which `mails show` reads.
update mails set facts = facts || jsonb_build_object('override_fault', :fault::text)
where id = :id and project_id = :project_id and state = 'sending' and attempts = :attempts;

-- name: assign_mail_user(project_id, id, user_id)
update mails set user_id = :user_id where id = :id and project_id = :project_id;

-- name: assign_recipient(project_id, id, token_id, email) -> AssignedToken?
-- The user of a token's address is found, locked, and set in token, mail and events, once only. No row, and nothing
-- changed, where there is none: a user who was locked by another may have given the address up, which only a later
-- statement can see.
with holder as (
    select id, email_version from users
    where project_id = :project_id and email = :email and status <> 'blocked' for update
), assigned as (
    update tokens t set user_id = holder.id, email_version = holder.email_version from holder
    where t.project_id = :project_id and t.id = :token_id and t.user_id is null
    returning t.project_id, t.id, t.kind, t.user_id, t.asked_as as requested_user_id, t.email, t.email_version, t.kid,
        t.created_at, t.expires_at
), mail as (
    update mails m set user_id = a.user_id from assigned a where m.project_id = :project_id and m.id = :id
), settled as (
    update events e set user_id = a.user_id, ready = true from assigned a
    where e.project_id = :project_id and e.token_id = a.id and not e.ready
    returning e.id
)
select a.*, array(select id from settled) as events from assigned a;
