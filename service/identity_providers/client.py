"""All that is asked of providers: where to send a user, tokens for a code, and who the user is."""

import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from service.crypto.secret import Secret
from service.identity_providers import adapters, addresses, claims, id_tokens, token_endpoint
from service.identity_providers.discovery import Discovery, Metadata
from service.identity_providers.faults import ProviderFailure
from service.identity_providers.id_tokens import Expected
from service.identity_providers.outbound import Outbound
from service.identity_providers.provider import NativeProof, Provider, ProviderIdentity, ProviderTokens
from service.identity_providers.request_time import in_time
from service.identity_providers.signing_keys import SigningKeys


class IdentityProviders:
    """Client of all providers, one a process.

    Everything here may take seconds: call it outside any transaction. All calls of a request end together, before its
    own deadline. All methods raise ProviderFault: ProviderError if the provider refused, ProviderFailure if its answer
    can't be used, ProviderUnavailable if there was none.
    `now` is the time that tokens are held against, in seconds since 1970; what is kept ages by `clock`.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        outbound: Outbound | None = None,
    ) -> None:
        self._now = now
        self._outbound = outbound or Outbound()
        self._discovery = Discovery(self._outbound, clock)
        self._keys = SigningKeys(self._outbound, clock)

    @in_time
    async def authorization_url(
        self,
        provider: Provider,
        *,
        redirect_uri: str,
        state: str,
        nonce: str,
        code_challenge: str,
        scopes: Sequence[str] = (),
    ) -> str:
        """Make the address that a user is sent to; `scopes` are asked for besides the profile's and the operator's."""
        metadata, profile = await self._discovery.find(provider), provider.profile
        if fault := addresses.fault(metadata.authorization, plain_http=provider.plain_http):
            raise ProviderFailure(f"its address is not to be used: {fault}")
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys((*profile.scopes, *provider.scopes, *scopes))),
            "state": state,
            **dict(profile.extras),
        }
        if profile.pkce:
            query |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
        if profile.nonce:
            query["nonce"] = nonce
        if provider.prompt:
            query["prompt"] = provider.prompt
        if provider.max_age is not None:
            query["max_age"] = str(provider.max_age)
        joint = "&" if "?" in metadata.authorization else "?"
        return f"{metadata.authorization}{joint}{urlencode(query, quote_via=quote)}"

    @in_time
    async def check_issuer(self, provider: Provider, iss: str | None) -> None:
        """Hold the callback's `iss` against the provider (RFC 9207). Raises ProviderFailure."""
        if provider.profile.engine != "oidc":
            return
        metadata = await self._discovery.find(provider)
        # Microsoft's shared tenants have no issuer that could be told before there is a token.
        if "{" in metadata.issuer or (iss is None and not metadata.says_iss):
            return
        if iss != metadata.issuer:
            raise ProviderFailure("its callback is of another issuer")

    @in_time
    async def exchange_code(
        self, provider: Provider, *, code: Secret, verifier: Secret, redirect_uri: str
    ) -> ProviderTokens:
        """Exchange a callback's code for tokens."""
        grant = {"grant_type": "authorization_code", "code": code.reveal(), "redirect_uri": redirect_uri}
        if provider.profile.pkce:
            grant["code_verifier"] = verifier.reveal()
        return await self._request_tokens(provider, grant)

    @in_time
    async def refresh(self, provider: Provider, *, refresh_token: Secret) -> ProviderTokens:
        """Get new tokens; without a new refresh token the old one goes on."""
        return await self._request_tokens(
            provider, {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}
        )

    @in_time
    async def fetch_identity(
        self, provider: Provider, tokens: ProviderTokens, *, nonce: str, user_json: str = ""
    ) -> ProviderIdentity:
        """Find out who the tokens are for; `user_json` is Apple's `user` field of the first callback, for the name."""
        metadata = await self._discovery.find(provider)
        if provider.profile.engine != "oidc":
            return await adapters.fetch(self._outbound, provider, metadata, tokens.access_token)
        if tokens.id_token is None:
            raise ProviderFailure("its answer holds no ID token")
        expected = Expected((provider.client_id,), nonce, exact=True, max_age=provider.max_age)
        token = await id_tokens.verify(provider, metadata, self._keys, tokens.id_token, expected, now=self._now())
        contact = token
        if not token.get("email") and metadata.userinfo:
            contact = await self._userinfo(provider, metadata, tokens.access_token, token["sub"])
        return claims.identity(provider, token, contact, user_json)

    @in_time
    async def verify_id_token(self, provider: Provider, *, id_token: Secret, nonce: str | None) -> NativeProof:
        """Check an ID token that an app got by itself. Raises IdTokenInvalid with the failed check."""
        metadata = await self._discovery.find(provider)
        expected = Expected(provider.audiences, nonce, exact=False)
        token = await id_tokens.verify(provider, metadata, self._keys, id_token, expected, now=self._now())
        return NativeProof(
            claims.identity(provider, token, token, ""),
            id_tokens.digest(id_token),
            id_tokens.last_use(token),
        )

    async def inspect(self, provider: Provider) -> tuple[Metadata, int]:
        """Find a provider's endpoints, and how many signing keys it has; an adapter has none. Tries Apple's key too."""
        metadata = await self._discovery.find(provider)
        if provider.client_secret is not None:
            token_endpoint.client_secret(provider, metadata, self._now())
        return metadata, await self._keys.count(metadata.jwks, plain_http=provider.plain_http) if metadata.jwks else 0

    async def close(self) -> None:
        """Close all connections."""
        await self._discovery.close()
        await self._keys.close()
        await self._outbound.close()

    async def _request_tokens(self, provider: Provider, grant: dict[str, str]) -> ProviderTokens:
        metadata = await self._discovery.find(provider)
        return await token_endpoint.request(self._outbound, provider, metadata, grant, now=self._now())

    async def _userinfo(self, provider: Provider, metadata: Metadata, token: Secret, subject: str) -> dict[str, Any]:
        """Ask for what the ID token leaves out; it must be about the same user (OpenID Connect Core, 5.3.2)."""
        answer = await self._outbound.get(
            metadata.userinfo,
            plain_http=provider.plain_http,
            headers={"Authorization": f"Bearer {token.reveal()}"},
        )
        if answer.status != 200 or answer.object.get("sub") != subject:
            raise ProviderFailure("its userinfo is of another user")
        return answer.object
