-- name: stamp_transaction() -> TransactionId
-- Asked just before COMMIT. No number: nothing was written. The moment at which the server was started stands for the
-- server: another one, such as a promoted standby, gives the same numbers to other transactions.
select pg_current_xact_id_if_assigned()::text as number, pg_postmaster_start_time() as server;

-- name: outcome_of_transaction(number, server)
-- committed, aborted, in progress; null if nobody knows (any more).
select case pg_postmaster_start_time() when :server then pg_xact_status(:number::text::xid8) end;
