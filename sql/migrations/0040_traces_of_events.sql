-- As for mails.
alter table events add column traceparent text;
