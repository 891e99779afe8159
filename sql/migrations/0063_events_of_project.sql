-- Events are taken from the queue project by project: a backlog of one is not read through for another.
create index events_of_project on events (project_id, at) where ready;
