-- Hashes of earlier passwords, newest last; kept where a project asks for it, and as many as it asks for.
create table password_history (
    project_id    text not null,
    user_id       text not null,
    id            bigint generated always as identity,
    password_hash text not null,
    primary key (project_id, user_id, id),
    foreign key (project_id, user_id) references users on delete cascade
);
