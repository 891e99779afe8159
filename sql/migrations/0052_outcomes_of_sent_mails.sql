-- What is learnt of a mail after a relay took it, beside the events of its sending.
alter table mail_events drop constraint mail_events_name_check,
    add constraint mail_events_name_check check (name in (
        'waits', 'lost', 'retried', 'sent', 'failed', 'expired', 'cancelled', 'void', 'suppressed',
        'delivered', 'deferred', 'bounced', 'complained'
    )) not valid;
