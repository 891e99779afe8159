-- name: list_overrides(project_id, letter) -> TemplateOverride*
-- A null narrows nothing.
select project_id, letter, locale, subject, body_text, body_html, changed_at from template_overrides
where (:project_id::text is null or project_id = :project_id) and (:letter::text is null or letter = :letter)
order by project_id, letter, locale;

-- name: find_override(project_id, letter, locales) -> FoundOverride?
-- One row, whatever there is; `state` as in claim_mail.
select s.state, o.project_id, o.letter, o.locale, o.subject, o.body_text, o.body_html, o.changed_at
from (
    select extract(epoch from max(changed_at))::text || ' ' || count(*) as state from template_overrides
    where project_id = :project_id
) s left join lateral (
    select * from template_overrides
    where project_id = :project_id and letter = :letter and locale = any(:locales::text[])
    order by array_position(:locales::text[], locale) limit 1
) o on true;

-- name: count_overrides(project_id)
select count(*) from template_overrides where project_id = :project_id;

-- name: lock_overrides(project_id)
-- Until the end of the transaction no other changes the project's templates.
select pg_advisory_xact_lock(hashtext('template_overrides'), hashtext(:project_id));

-- name: set_override(project_id, letter, locale, subject, body_text, body_html)
-- A part that is null stays as it was. Times of a project's changes differ, whatever its clock does.
insert into template_overrides (project_id, letter, locale, subject, body_text, body_html, changed_at)
select :project_id, :letter, :locale, :subject, :body_text, :body_html, greatest(now(), (
    select max(changed_at) + interval '1 microsecond' from template_overrides where project_id = :project_id
))
on conflict (project_id, letter, locale) do update set
    subject = coalesce(excluded.subject, template_overrides.subject),
    body_text = coalesce(excluded.body_text, template_overrides.body_text),
    body_html = coalesce(excluded.body_html, template_overrides.body_html), changed_at = excluded.changed_at;

-- name: delete_overrides(project_id, letter, locale, part)
-- Of one locale, or of all if it is null; with a part those that hold nothing else.
delete from template_overrides
where project_id = :project_id and letter = :letter and (:locale::text is null or locale = :locale)
    and (:part::text is null or num_nonnulls(case when :part <> 'subject' then subject end,
        case when :part <> 'text' then body_text end, case when :part <> 'html' then body_html end) = 0);

-- name: clear_part(project_id, letter, locale, part)
-- Takes a part out of those that hold it, after delete_overrides.
update template_overrides o set
    subject = case when :part::text <> 'subject' then subject end,
    body_text = case when :part <> 'text' then body_text end,
    body_html = case when :part <> 'html' then body_html end,
    changed_at = greatest(now(), (
        select max(changed_at) + interval '1 microsecond' from template_overrides where project_id = :project_id
    ))
where project_id = :project_id and letter = :letter and (:locale::text is null or locale = :locale)
    and case :part when 'subject' then subject when 'text' then body_text else body_html end is not null;
