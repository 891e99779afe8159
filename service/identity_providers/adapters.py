"""Users of GitHub, Discord and Facebook, which give no ID token: each tells by an API of its own."""

import hashlib
import hmac
from typing import Any

from service.crypto.secret import Secret
from service.identity_providers import claims
from service.identity_providers.discovery import Metadata
from service.identity_providers.faults import ProviderFailure
from service.identity_providers.outbound import Outbound
from service.identity_providers.provider import Provider, ProviderIdentity


async def fetch(outbound: Outbound, provider: Provider, metadata: Metadata, token: Secret) -> ProviderIdentity:
    """Ask the provider for its user. Raises ProviderFault."""
    match provider.profile.engine:
        case "github":
            return await _github(outbound, provider, metadata, token)
        case "discord":
            user = await _get(outbound, provider, metadata.userinfo, token)
            return _identity(
                provider, metadata, user.get("id"), user.get("email"),
                verified=user.get("verified") is True, name=user.get("global_name") or user.get("username"),
            )  # fmt: skip
        case _:
            user = await _get(
                outbound, provider, metadata.userinfo, token, {"fields": "id,name,email"} | _proof(provider, token)
            )
            return _identity(
                provider, metadata, user.get("id"), user.get("email"), verified=False, name=user.get("name")
            )


async def _github(outbound: Outbound, provider: Provider, metadata: Metadata, token: Secret) -> ProviderIdentity:
    """Ask for the user, and for the addresses: the one in a profile may be any."""
    user = await _get(outbound, provider, metadata.userinfo, token)
    answer = await outbound.get(
        metadata.userinfo + "/emails", plain_http=provider.plain_http, headers=_bearer(token), query={"per_page": "100"}
    )
    # Without the scope there is no list.
    listed = answer.data if answer.status == 200 and isinstance(answer.data, list) else []
    primary = next((entry for entry in listed if isinstance(entry, dict) and entry.get("primary") is True), {})
    return _identity(
        provider, metadata, user.get("id"), primary.get("email"),
        verified=primary.get("verified") is True, name=user.get("name") or user.get("login"),
    )  # fmt: skip


async def _get(
    outbound: Outbound, provider: Provider, url: str, token: Secret, query: dict[str, str] | None = None
) -> dict[str, Any]:
    answer = await outbound.get(url, plain_http=provider.plain_http, query=query, headers=_bearer(token))
    if answer.status != 200:
        raise ProviderFailure(f"its API answered {answer.status}")
    return answer.object


def _bearer(token: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}


def _proof(provider: Provider, token: Secret) -> dict[str, str]:
    """Prove to Facebook that the token is used by us; apps may require it."""
    if provider.client_secret is None:
        return {}
    key = provider.client_secret.reveal().encode()
    return {"appsecret_proof": hmac.new(key, token.reveal().encode(), hashlib.sha256).hexdigest()}


def _identity(
    provider: Provider, metadata: Metadata, subject: object, email: object, *, verified: bool, name: object
) -> ProviderIdentity:
    if isinstance(subject, bool) or not isinstance(subject, int | str) or not claims.is_subject(str(subject)):
        raise ProviderFailure("its API names no user")
    address = claims.address(email)
    proved = verified and bool(address)
    return ProviderIdentity(
        provider.name, metadata.issuer, str(subject), address,
        email_verified=proved, authoritative=proved, name=claims.name(name),
    )  # fmt: skip
