-- concurrently
-- For the export of a user's data and for its erasure.
create index concurrently if not exists sms_of_user on sms (project_id, user_id, created_at) where user_id is not null;
