-- What happened to a mail, in order: why a try failed, whose lease ran out, who steered it, how it ended.
create table mail_events (
    project_id text not null,
    mail_id    uuid not null,
    id         bigint generated always as identity,
    at         timestamptz not null default clock_timestamp(),
    -- Every final state has its event of the same name; the others: a try that failed for now, a worker that
    -- died or was cut off with the mail in hand, an operator who asked for one more try.
    name       text not null
               check (name in ('waits', 'lost', 'retried', 'sent', 'failed', 'expired', 'cancelled', 'void')),
    attempt    int not null,
    worker     text not null default '',
    -- The relay that was spoken to, as host:port; the SMTP stage, code and one harmless line of its answer.
    server     text not null default '',
    stage      text not null default '',
    code       int,
    fault      text not null default '',
    primary key (project_id, mail_id, id),
    foreign key (mail_id, project_id) references mails on delete cascade
);
-- For counting what happened lately.
create index mail_events_by_age on mail_events (at);

-- Whose fault the last failed try was: the relay's as a whole, this recipient's, or our own.
-- When a relay is back, what waited for it goes out at once.
alter table mails add column last_cause text check (last_cause in ('server', 'recipient', 'ours'));
create index mails_waiting_for_server on mails (created_at) where state = 'pending' and last_cause = 'server';
