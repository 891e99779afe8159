-- concurrently
-- Events that are posted to a webhook once more are found by their ids, or by their times.
create index concurrently if not exists feed_events_by_id on feed_events (project_id, id);
create index concurrently if not exists feed_events_by_time on feed_events (project_id, at, number);
