"""The embedded default for one machine: Postgres, Valkey, a mailbox, and the supervisor over them."""
