-- concurrently
-- Lists and counts of SMS by state; accounts made by operators that may end, where a project asks for that.
create index concurrently if not exists sms_by_state on sms (project_id, state, id);
create index concurrently if not exists users_made_to_end on users (project_id, created_at)
    where kept and not email_verified and phone_verified_at is null;
