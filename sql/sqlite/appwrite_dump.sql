-- The temporary database of service/cli/appwrite/dump.py, in SQLite.

-- name: create_entries
create table entries (project text, kind text, user text, number integer, sealed text, body blob);

-- name: add_entry
insert into entries values (:project, :kind, :user, :number, :sealed, :body);

-- name: create_index_by_number
create index by_number on entries (project, kind, number);

-- name: create_index_by_user
create index by_user on entries (project, user);

-- name: count_users
select project, count(*) from entries where kind = :kind group by project;

-- name: list_projects
select user, project from entries where kind = :kind;

-- name: list_users
select number, user, body from entries
where project = :project and kind = :kind and number > :last order by number limit :most;

-- name: find_user
select body from entries where project = :project and kind = :kind and user = :user;

-- name: list_rows_of_user
select kind, body from entries where project = :project and user = :user and kind <> :users order by number;

-- name: list_sealed
select sealed from entries where project = :project and kind = :kind and sealed is not null limit :most;
