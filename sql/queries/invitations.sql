-- name: create_invitation(project_id, id, email, code_hash, note, most_uses, seconds) -> Invitation
-- Of two at once for one address the later takes the place of the other.
insert into invitations (project_id, id, email, code_hash, note, most_uses, expires_at)
values (:project_id, :id, :email, :code_hash, :note, :most_uses, now() + make_interval(secs => :seconds))
on conflict (project_id, email) do update set id = excluded.id, note = excluded.note, most_uses = excluded.most_uses,
    uses = 0, created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = null
returning id, email, note, most_uses, uses, created_at, expires_at, used_at, false as expired;

-- name: list_invitations(project_id, after, most) -> Invitation*
-- Newest first: ids grow with time.
select id, email, note, most_uses, uses, created_at, expires_at, used_at, expires_at <= now() as expired
from invitations where project_id = :project_id and (:after::text is null or id < :after) order by id desc limit :most;

-- name: delete_invitation(project_id, id)
delete from invitations where project_id = :project_id and id = :id;

-- name: delete_token_of_invitation(project_id, id)
delete from tokens where project_id = :project_id and id = :id and kind = 'verification';

-- name: find_invitation_of_address(project_id, email) -> InvitationId?
select id from invitations where project_id = :project_id and email = :email;

-- name: find_invitation_of_code(project_id, code_hash) -> CodeFound?
select id, uses < most_uses and expires_at > now() as usable from invitations
where project_id = :project_id and code_hash = :code_hash;

-- name: remember_invitation(project_id, token_id, invitation_id)
update tokens set invitation_id = :invitation_id where project_id = :project_id and id = :token_id;

-- name: use_invitation(project_id, invitation_id, token_id, email)
-- That of the address, or else the one whose code came with the request, or with the request for this token.
update invitations set uses = uses + 1, used_at = now()
where project_id = :project_id and uses < most_uses and expires_at > now() and id = (
    select i.id from invitations i
    where i.project_id = :project_id and i.uses < i.most_uses and i.expires_at > now() and (
        i.email = :email or i.id = :invitation_id
        or i.id = (select t.invitation_id from tokens t where t.project_id = :project_id and t.id = :token_id)
    )
    order by i.email limit 1
);

-- name: list_expired_invitations(most) -> ProjectRows*
-- Kept a month longer, so that `invitations list` tells why one works no more.
select project_id, array_agg(id) as ids from (
    select project_id, id from invitations
    where expires_at < now() - interval '30 days'
    order by expires_at limit :most
) old group by project_id;

-- name: delete_expired_invitations(project_id, ids)
delete from invitations where project_id = :project_id and id in (
    select id from invitations
    where project_id = :project_id and id = any(:ids::text[]) and expires_at < now() - interval '30 days'
    for update skip locked
);
