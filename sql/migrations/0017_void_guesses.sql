-- A guess at a token that is there is counted in its row. One at nothing is counted here, by the same kind of write, so
-- that a commit tells nobody whether a link is still open. Many rows, so that two guesses hardly ever meet at one.
create table void_guesses (
    slot     int primary key,
    guesses  bigint not null default 0
) with (fillfactor = 50);
insert into void_guesses (slot) select generate_series(0, 1023);
