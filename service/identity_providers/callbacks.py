"""The address that a provider sends users back to, which the operator registers there."""


def url(public_url: str, provider: str, project_id: str) -> str:
    """Make the redirect URL of a project's provider: one each, so that no answer can be taken for another's.

    A request's headers have no say in it.
    """
    return f"{public_url}/v1/account/sessions/oauth2/callback/{provider}/{project_id}"
