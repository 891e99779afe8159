"""Endpoints of providers: by OpenID Connect Discovery, from the operator, or from the profile."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from service.identity_providers import addresses, issuers
from service.identity_providers.faults import ProviderFailure
from service.identity_providers.outbound import DOCUMENT, Outbound
from service.identity_providers.provider import Provider
from service.identity_providers.shared_fetches import SharedFetches

_KEPT = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Metadata:
    """Addresses of a provider. `says_iss` if its callbacks name the issuer (RFC 9207)."""

    issuer: str
    authorization: str
    token: str
    userinfo: str = ""
    jwks: str = ""
    client_auth: Literal["basic", "post"] = "basic"
    says_iss: bool = False


class Discovery:
    """Metadata of all providers; fetched documents are kept for six hours."""

    def __init__(self, outbound: Outbound, clock: Callable[[], float]) -> None:
        self._outbound = outbound
        self._documents: SharedFetches[Metadata] = SharedFetches(clock)

    async def find(self, provider: Provider) -> Metadata:
        """Return a provider's metadata. Raises ProviderFault."""
        if fixed := _fixed(provider):
            return fixed
        url = url_of(provider)
        key = (url, issuers.of_discovery(provider), provider.name, provider.plain_http)
        return await self._documents.get(key, partial(self._fetch, provider, url))

    async def _fetch(self, provider: Provider, url: str) -> tuple[Metadata, float]:
        answer = await self._outbound.get(url, plain_http=provider.plain_http, most=DOCUMENT)
        if answer.status != 200:
            raise ProviderFailure(f"its discovery answered {answer.status}")
        return read(provider, answer.object), _KEPT

    async def close(self) -> None:
        await self._documents.close()


def url_of(provider: Provider) -> str:
    """Return where a provider's discovery document is; an issuer's path is kept (OpenID Connect Discovery, 4)."""
    issuer = issuers.configured(provider)
    return provider.endpoints.discovery or issuer.rstrip("/") + "/.well-known/openid-configuration"


def _fixed(provider: Provider) -> Metadata | None:
    """Return endpoints that nobody needs to be asked for: an adapter's, or all those that the operator gave."""
    profile, own = provider.profile, provider.endpoints
    if profile.engine != "oidc":
        return Metadata(
            issuer=issuers.configured(provider),
            authorization=own.authorization or profile.endpoints.authorization,
            token=own.token or profile.endpoints.token,
            userinfo=own.userinfo or profile.endpoints.userinfo,
            client_auth="post",
        )
    if not (own.authorization and own.token and own.jwks):
        return None
    return Metadata(issuers.configured(provider), own.authorization, own.token, own.userinfo, own.jwks)


def read(provider: Provider, document: dict[str, Any]) -> Metadata:
    """Check a discovery document. Raises ProviderFailure.

    One that came over https names nothing over http, which is this machine.
    """
    issuer, plain_http = issuers.of_discovery(provider), url_of(provider).startswith("http:") and provider.plain_http
    if document.get("issuer") != issuer:
        raise ProviderFailure("its discovery names another issuer")
    names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
    found = {name: document.get(name, "") for name in names}
    for name, url in found.items():
        optional = name == "userinfo_endpoint" and url == ""
        if not isinstance(url, str) or (addresses.fault(url, plain_http=plain_http) and not optional):
            raise ProviderFailure(f"its discovery has no usable {name}")
    return Metadata(
        issuer=issuer,
        authorization=found["authorization_endpoint"],
        token=found["token_endpoint"],
        userinfo=found["userinfo_endpoint"],
        jwks=found["jwks_uri"],
        client_auth=_client_auth(provider, document),
        says_iss=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _client_auth(provider: Provider, document: dict[str, Any]) -> Literal["basic", "post"]:
    """Return how the client secret is sent: basic is the standard's default."""
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    basic = isinstance(methods, list) and "client_secret_basic" in methods
    return "basic" if basic and not provider.profile.posts_secret else "post"
