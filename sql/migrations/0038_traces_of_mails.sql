-- The span that asked for a mail (W3C traceparent), so that its worker's spans belong to the same trace.
alter table mails add column traceparent text;
