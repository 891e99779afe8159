-- name: record_act(project_id, id)
-- Sent in one message with COMMIT, hence with its values written out.
insert into acts (project_id, id) values (:project_id, :id);

-- name: is_undone(project_id, id)
-- Decides the outcome of an act whose COMMIT has lost its answer. Where no such act is committed this row takes its
-- place, and a COMMIT that arrives later fails on the key. An act that is being committed is waited for.
insert into acts (project_id, id, undone) values (:project_id, :id, true)
on conflict (project_id, id) do update set undone = acts.undone
returning undone;

-- name: delete_old_acts(most)
-- No COMMIT is under way for an hour: the server ends a transaction that idles.
delete from acts where (project_id, id) in (
    select project_id, id from acts where created_at < now() - interval '1 hour' order by created_at limit :most
);
