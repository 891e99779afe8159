-- A project's own templates of letters. A release before does not read them, and sends ours.
create table template_overrides (
    project_id text not null references projects on delete cascade,
    letter     text not null check (letter ~ '^[a-z_]{1,64}$'),
    -- `*` is for readers of every other language.
    locale     text not null check (locale ~ '^([*]|[a-z]{2,3}(-[a-z0-9]{2,8}){0,2})$'),
    -- A part that is null is ours.
    subject    text check (octet_length(subject) between 1 and 300),
    body_text  text check (octet_length(body_text) between 1 and 16384),
    body_html  text check (octet_length(body_html) between 1 and 65536),
    -- Grows with each change within a project, so that with the number of rows it names a state of them all.
    changed_at timestamptz not null default clock_timestamp(),
    primary key (project_id, letter, locale),
    check (num_nonnulls(subject, body_text, body_html) > 0)
);
