-- As for mails.
alter table sms add column traceparent text;
