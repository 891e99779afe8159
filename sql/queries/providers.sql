-- name: list_providers(project_id) -> ProviderRow*
select v.project_id, v.name, v.enabled, v.client_id, v.kid, v.sealed, v.native, v.native_client_ids, v.trust_email,
    v.issuer, v.discovery_url, v.authorization_endpoint, v.token_endpoint, v.userinfo_endpoint, v.jwks_uri,
    v.tenant, v.team_id, v.key_id, v.scopes, v.prompt, v.max_age, p.plain_http
from providers v join projects p on p.id = v.project_id
where v.project_id = :project_id order by v.name;

-- name: lock_provider(project_id, name) -> ProviderRow?
select v.project_id, v.name, v.enabled, v.client_id, v.kid, v.sealed, v.native, v.native_client_ids, v.trust_email,
    v.issuer, v.discovery_url, v.authorization_endpoint, v.token_endpoint, v.userinfo_endpoint, v.jwks_uri,
    v.tenant, v.team_id, v.key_id, v.scopes, v.prompt, v.max_age, p.plain_http
from providers v join projects p on p.id = v.project_id
where v.project_id = :project_id and v.name = :name for update of v;

-- name: create_provider(project_id, name)
insert into providers (project_id, name) values (:project_id, :name) on conflict do nothing;

-- name: change_provider(project_id, name, changes)
-- The changes are one JSON object, its names those of the columns; what it leaves out stays.
update providers v set
    enabled = n.enabled, client_id = n.client_id, native = n.native, native_client_ids = n.native_client_ids,
    trust_email = n.trust_email, issuer = n.issuer, discovery_url = n.discovery_url,
    authorization_endpoint = n.authorization_endpoint, token_endpoint = n.token_endpoint,
    userinfo_endpoint = n.userinfo_endpoint, jwks_uri = n.jwks_uri, tenant = n.tenant, team_id = n.team_id,
    key_id = n.key_id, scopes = n.scopes, prompt = n.prompt, max_age = n.max_age, updated_at = now()
from (select p as row from providers p where p.project_id = :project_id and p.name = :name for update) former,
    jsonb_populate_record(former.row, :changes::jsonb) n
where v.project_id = :project_id and v.name = :name;

-- name: set_provider_secret(project_id, name, kid, sealed)
update providers set kid = :kid, sealed = :sealed, updated_at = now()
where project_id = :project_id and name = :name;

-- name: delete_provider(project_id, name)
delete from providers where project_id = :project_id and name = :name;
