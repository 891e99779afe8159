-- name: find_branding(project_id) -> Branding?
select p.id as project_id, p.name, coalesce(b.reply_to, '') as reply_to,
    coalesce(b.support_address, '') as support_address, coalesce(b.app_url, '') as app_url,
    coalesce(b.accent_color, '') as accent_color, coalesce(b.footer_text, '') as footer_text,
    b.logo_type, b.logo_digest
from projects p left join branding b on b.project_id = p.id where p.id = :project_id;

-- name: list_branding() -> Branding*
select p.id as project_id, p.name, coalesce(b.reply_to, '') as reply_to,
    coalesce(b.support_address, '') as support_address, coalesce(b.app_url, '') as app_url,
    coalesce(b.accent_color, '') as accent_color, coalesce(b.footer_text, '') as footer_text,
    b.logo_type, b.logo_digest
from projects p left join branding b on b.project_id = p.id order by p.id;

-- name: create_branding(project_id)
insert into branding (project_id) values (:project_id) on conflict do nothing;

-- name: change_branding(project_id, changes)
-- The changes are one JSON object, its names those of the columns; what it leaves out stays.
update branding b set
    reply_to = n.reply_to, support_address = n.support_address, app_url = n.app_url,
    accent_color = n.accent_color, footer_text = n.footer_text
from branding o, jsonb_populate_record(o, :changes::jsonb) n
where b.project_id = :project_id and o.project_id = b.project_id;

-- name: set_logo(project_id, media_type, data)
-- Both are null for no logo.
update branding set logo = :data, logo_type = :media_type where project_id = :project_id;

-- name: find_logo(project_id, digest) -> Logo?
select logo_type as media_type, logo as data from branding where project_id = :project_id and logo_digest = :digest;
