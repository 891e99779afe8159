-- name: revoke_tokens(project_id, user_id, addresses)
select revoke_tokens(:project_id, :user_id, :addresses::text[]);

-- name: revoke_phone_tokens(project_id, user_id, phone)
delete from tokens
where project_id = :project_id and kind in ('phone_login', 'phone_verification', 'mfa_phone')
    and (user_id = :user_id or (user_id is null and email = :phone));

-- name: revoke_oldest_custom_tokens(project_id, user_id, kept)
-- All but the newest, and those that open nothing any more. With the user's row locked.
delete from tokens where project_id = :project_id and user_id = :user_id and kind = 'custom' and id not in (
    select id from tokens
    where project_id = :project_id and user_id = :user_id and kind = 'custom' and attempts < 5 and expires_at > now()
    order by created_at desc, id desc limit :kept
);

-- name: revoke_passkey_tokens(project_id, user_id)
delete from tokens where project_id = :project_id and user_id = :user_id and kind = 'passkey';

-- name: revoke_undo_links(project_id, user_id, since)
delete from tokens where project_id = :project_id and user_id = :user_id and kind in ('disavowal', 'email_undo')
    and (:since::timestamptz is null or created_at >= :since);
