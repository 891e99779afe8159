-- concurrently
-- What the tidying deletes, by its age; a session by its secret; mails by state.
create index concurrently if not exists sessions_expired on sessions (expires_at);
create index concurrently if not exists sessions_of_secret on sessions using hash (secret_hash);
create index concurrently if not exists authenticators_removed on authenticators (removed_at)
    where removed_at is not null;
create index concurrently if not exists authenticators_unverified on authenticators (created_at)
    where verified_at is null and removed_at is null;
create index concurrently if not exists authenticators_of_key on authenticators (kid, project_id, user_id, id);
create index concurrently if not exists recovery_codes_removed on recovery_codes (removed_at)
    where removed_at is not null;
create index concurrently if not exists passkeys_removed on passkeys (removed_at) where removed_at is not null;
create index concurrently if not exists identities_removed on identities (removed_at) where removed_at is not null;
create index concurrently if not exists identities_sealed on identities (project_id) where kid is not null;
create index concurrently if not exists identities_of_key on identities (kid, project_id, user_id, id)
    where kid is not null;
create index concurrently if not exists mfa_changes_by_age on mfa_changes (changed_at);
create index concurrently if not exists phone_changes_by_age on phone_changes (changed_at);
create index concurrently if not exists mails_ended on mails (state, project_id)
    where state not in ('pending', 'sending');
