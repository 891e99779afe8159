-- name: record_identity_token(project_id, token_id, identity_id, two_factors)
insert into identity_tokens (project_id, token_id, identity_id, two_factors)
values (:project_id, :token_id, :identity_id, :two_factors);

-- name: find_identity_token(project_id, token_id) -> IdentityToken?
select project_id, token_id, identity_id, two_factors from identity_tokens
where project_id = :project_id and token_id = :token_id;
