"""Issuers of ID tokens: which one a provider's discovery must name, and which ones its tokens may.

Microsoft has one for each tenant; its discovery for several tenants names `{tenantid}` in the issuer's place.
"""

import re
from typing import Any

from service.identity_providers.provider import Provider

_TENANT, _ANY = "{tenant}", "{tenantid}"
# Tenant of personal accounts.
_PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
_SHARED = frozenset({"common", "organizations"})
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def configured(provider: Provider) -> str:
    """Return the issuer in whose name discovery is asked."""
    issuer = provider.issuer or provider.profile.issuer
    return issuer.replace(_TENANT, provider.tenant or "common")


def of_discovery(provider: Provider) -> str:
    """Return the issuer that the discovery document must name."""
    issuer = provider.issuer or provider.profile.issuer
    tenant = provider.tenant or "common"
    named = _ANY if tenant in _SHARED else _PERSONAL if tenant == "consumers" else tenant
    return issuer.replace(_TENANT, named)


def of_token(provider: Provider, claims: dict[str, Any]) -> str:
    """Return the issuer that a token names, "" if the provider has no such issuer."""
    found, expected = claims.get("iss"), of_discovery(provider)
    if not isinstance(found, str):
        return ""
    if _ANY in expected:
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or not _GUID.fullmatch(tenant):
            return ""
        if provider.tenant == "organizations" and tenant == _PERSONAL:
            return ""
        return found if found == expected.replace(_ANY, tenant) else ""
    # An identity is kept under one spelling.
    return expected if found in (expected, *_others(provider)) else ""


def _others(provider: Provider) -> tuple[str, ...]:
    """Return other spellings; an operator's own issuer has none."""
    return () if provider.issuer else provider.profile.other_issuers
