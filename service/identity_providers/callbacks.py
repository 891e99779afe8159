"""The address that a provider sends users back to, which the operator registers there."""

from service.identity_providers.provider import Provider


def url(public_url: str, provider: Provider) -> str:
    """Make the redirect URL of a project's provider: one each, so that no answer can be taken for another's.

    No request has a say in it.
    """
    return f"{public_url}/v1/account/sessions/oauth2/callback/{provider.name}/{provider.project_id}"
