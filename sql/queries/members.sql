-- name: lock_member(project_id, id, session_id) -> Member?
-- A member's own act locks the user's row and the session's: a session that ends meanwhile can act no more. The user
-- comes first, as in every act that ends sessions.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa,
    u.phone, u.phone_version, u.phone_verified_at is not null as phone_verified,
    case when u.has_targets then null else '[]' end as targets,
    s.id as session_id, s.first_factor, s.assurance,
    s.mfa_at > now() - interval '1800 s' is true as is_fresh,
    greatest(s.created_at, s.mfa_at) > now() - interval '600 s' as is_recent,
    case when u.mfa then exists (
        select from authenticators a where a.project_id = u.project_id and a.user_id = u.id
            and a.verified_at is not null and a.removed_at is null
    ) else false end as has_totp
from users u join sessions s on s.project_id = u.project_id and s.user_id = u.id
where u.project_id = :project_id and u.id = :id and s.id = :session_id and s.expires_at > now()
for update of u for key share of s;

-- name: find_member_by_secret(project_id, user_id, secret_hash) -> Member?
-- The one query of an authenticated request.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa,
    u.phone, u.phone_version, u.phone_verified_at is not null as phone_verified,
    case when u.has_targets then null else '[]' end as targets,
    s.id as session_id, s.first_factor, s.assurance,
    s.mfa_at > now() - interval '1800 s' is true as is_fresh,
    greatest(s.created_at, s.mfa_at) > now() - interval '600 s' as is_recent,
    case when u.mfa then exists (
        select from authenticators a where a.project_id = u.project_id and a.user_id = u.id
            and a.verified_at is not null and a.removed_at is null
    ) else false end as has_totp
from sessions s join users u on u.project_id = s.project_id and u.id = s.user_id
where s.project_id = :project_id and s.user_id = :user_id and s.secret_hash = :secret_hash and s.expires_at > now();

-- name: find_member_by_session(project_id, user_id, session_id) -> Member?
-- The same for a JWT, which names its session.
select u.project_id, u.id, u.email, u.email_version, u.email_verified, u.name, u.password_hash,
    u.password_updated_at, u.status, u.labels, u.prefs, u.created_at, u.updated_at, u.accessed_at, u.mfa,
    u.phone, u.phone_version, u.phone_verified_at is not null as phone_verified,
    case when u.has_targets then null else '[]' end as targets,
    s.id as session_id, s.first_factor, s.assurance,
    s.mfa_at > now() - interval '1800 s' is true as is_fresh,
    greatest(s.created_at, s.mfa_at) > now() - interval '600 s' as is_recent,
    case when u.mfa then exists (
        select from authenticators a where a.project_id = u.project_id and a.user_id = u.id
            and a.verified_at is not null and a.removed_at is null
    ) else false end as has_totp
from sessions s join users u on u.project_id = s.project_id and u.id = s.user_id
where s.project_id = :project_id and s.user_id = :user_id and s.id = :session_id and s.expires_at > now();
