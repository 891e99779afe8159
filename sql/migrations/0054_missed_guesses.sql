-- A guess at a token that is there is counted in its row. One at nothing is counted here, by the same kind of write, so
-- that a commit tells nobody whether a link is still open. By project, so that both rows are on one node where an engine
-- spreads the projects. A few rows for each, made by its first guesses, so that two guesses hardly ever meet at one.
-- `void_guesses`, which was for all projects, is written by servers of the release before only.
create table missed_guesses (
    project_id  text not null,
    slot        int not null,
    guesses     bigint not null,
    primary key (project_id, slot)
) with (fillfactor = 50);
