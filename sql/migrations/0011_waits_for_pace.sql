-- A mail may also wait because the relay takes fewer mails than it is given. Rows that are there comply already.
alter table mails drop constraint mails_last_cause_check,
    add constraint mails_last_cause_check check (last_cause in ('server', 'recipient', 'ours', 'pace')) not valid;
