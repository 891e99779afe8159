"""Token endpoints (RFC 6749): tokens for a code, and for a refresh token."""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import jwt

from service.crypto.secret import Secret
from service.identity_providers.discovery import Metadata
from service.identity_providers.faults import ProviderError, ProviderFailure
from service.identity_providers.outbound import Answer, Outbound
from service.identity_providers.provider import Provider, ProviderTokens

# Apple takes no longer-lived one than half a year; ours is made for each call.
_APPLE_SECRET = 300
_LONGEST_LIFE = 366 * 86_400
_TOKEN = re.compile(r"[\x20-\x7e]{1,16384}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


async def request(
    outbound: Outbound, provider: Provider, metadata: Metadata, grant: Mapping[str, str], *, now: float
) -> ProviderTokens:
    """Ask for tokens. Raises ProviderError if the provider refuses the grant, else another ProviderFault."""
    form, headers = dict(grant), {}
    secret = client_secret(provider, metadata, now)
    if metadata.client_auth == "basic":
        both = f"{quote_plus(provider.client_id)}:{quote_plus(secret.reveal())}"
        headers["Authorization"] = "Basic " + base64.b64encode(both.encode()).decode()
    else:
        form |= {"client_id": provider.client_id, "client_secret": secret.reveal()}
    answer = await outbound.post(metadata.token, form, plain_http=provider.plain_http, headers=headers)
    return _read(answer)


def client_secret(provider: Provider, metadata: Metadata, now: float) -> Secret:
    """Return the client secret; Apple's is a JWT that its private key signs. Raises ProviderFailure."""
    if provider.client_secret is None:
        raise ProviderFailure("it has no client secret here")
    if provider.name != "apple":
        return provider.client_secret
    claims = {
        "iss": provider.team_id,
        "iat": int(now),
        "exp": int(now) + _APPLE_SECRET,
        "aud": metadata.issuer,
        "sub": provider.client_id,
    }
    try:
        return Secret(
            jwt.encode(claims, provider.client_secret.reveal(), algorithm="ES256", headers={"kid": provider.key_id})
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ProviderFailure("its private key can't be used") from None


def _read(answer: Answer) -> ProviderTokens:
    """Read tokens, or the refusal: GitHub and Slack answer 200 then too."""
    found = answer.object
    if "error" in found or answer.status != 200:
        raise ProviderError(_error_code(found.get("error"), answer.status))
    access = found.get("access_token")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise ProviderFailure("its answer holds no access token")
    if str(found.get("token_type", "bearer")).lower() != "bearer":
        raise ProviderFailure("its token is of a type that we don't know")
    return ProviderTokens(
        access_token=Secret(access),
        refresh_token=_optional(found.get("refresh_token")),
        expires_in=_seconds(found.get("expires_in")),
        id_token=_optional(found.get("id_token")),
    )


def _error_code(found: Any, status: int) -> str:
    """Return the error's code alone: its description may hold what was sent. Facebook's error is an object."""
    code = found.get("type") if isinstance(found, dict) else found
    return code if isinstance(code, str) and _CODE.fullmatch(code) else f"status_{status}"


def _optional(found: object) -> Secret | None:
    return Secret(found) if isinstance(found, str) and _TOKEN.fullmatch(found) else None


def _seconds(found: object) -> int | None:
    """Read a lifetime; some providers write the number as text."""
    try:
        seconds = int(found) if isinstance(found, int | float | str) else 0
    except (ValueError, OverflowError):
        return None
    return min(seconds, _LONGEST_LIFE) if seconds > 0 else None
