-- A mail whose recipient's address is suppressed ends unsent. The release before writes none.
alter table mails drop constraint mails_state_check,
    add constraint mails_state_check check (state in (
        'pending', 'sending', 'sent', 'failed', 'expired', 'cancelled', 'void', 'suppressed'
    )) not valid;
