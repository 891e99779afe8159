-- Addresses at domains that public mail never reaches (.local, .internal, .test): for projects of an intranet.
alter table projects add column special_use_domains boolean not null default false;

-- Apps of a project, which are no hosts: a table of its own, so that no release takes one for a place a link may lead to.
create table apps (
    project_id  text not null references projects on delete cascade,
    -- An app id (com.example.my_app), or the whole origin of an app in a web view (capacitor://localhost).
    app         text not null check (app = lower(app)),
    created_at  timestamptz not null default now(),
    primary key (project_id, app)
);
