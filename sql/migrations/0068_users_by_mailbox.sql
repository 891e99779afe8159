-- concurrently
-- Addresses that are not the plainest of their mailbox; the others are found by themselves.
create index concurrently if not exists users_by_mailbox on users (project_id, mailbox_of(email))
    where mailbox_of(email) <> email;
