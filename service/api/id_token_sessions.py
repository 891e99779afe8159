"""Sign-in by an ID token that an app got by itself, as from the system of a phone.

Whoever shows the token is signed in: it must be for this project's app, fresh, and unused. A nonce of the app's choice
ties it to the app's request.
"""

from aiohttp import web

from service import db
from service.accounts import identities, presented_invitations, provider_faults
from service.api.oauth2 import open_by_identity
from service.api.sessions import OpenedSession, session_response
from service.errors import (
    BadRequest,
    EmailInvalid,
    MoreFactorsRequired,
    OAuth2TokenInvalid,
    Overloaded,
    ProviderDisabled,
    ProviderUnsupported,
    ReauthenticationRequired,
    UserExists,
)
from service.http import schemas
from service.http.context import RequestContext
from service.http.fields import AccessTokenSeconds, IdToken, Name, Nonce, ProviderAccessToken, ProviderName
from service.http.request_body import Body, read
from service.http.routing import contract, limited, public
from service.identity_providers import profiles
from service.identity_providers.faults import IdTokenInvalid, ProviderFault
from service.identity_providers.provider import NativeProof, Provider, ProviderTokens
from service.rate_limiter import HOUR
from service.store import used_id_tokens


class CreateIdTokenSession(Body):
    provider: ProviderName
    idToken: IdToken  # noqa: N815 - the contract's spelling
    nonce: Nonce | None = None
    accessToken: ProviderAccessToken | None = None  # noqa: N815 - as above
    accessTokenExpiry: AccessTokenSeconds | None = None  # noqa: N815 - as above
    name: Name | None = None


@public.post("/v1/account/sessions/id-token")
@limited(50, HOUR, by="ip")
@contract(
    takes=CreateIdTokenSession,
    gives=schemas.SESSION,
    status=201,
    raises=(
        BadRequest,
        EmailInvalid,
        MoreFactorsRequired,
        OAuth2TokenInvalid,
        Overloaded,
        ProviderDisabled,
        ProviderUnsupported,
        ReauthenticationRequired,
        UserExists,
    ),
)
async def create_id_token_session(ctx: RequestContext) -> web.Response:
    """Sign in with an ID token that the app got from a provider by itself. A member's new identity is linked."""
    body = await read(ctx, CreateIdTokenSession)
    provider = await _native(ctx, body.provider)
    nonce = body.nonce.reveal() if body.nonce else None
    try:
        proof = await ctx.services.identity_providers.verify_id_token(provider, id_token=body.idToken, nonce=nonce)
    except IdTokenInvalid as fault:
        raise OAuth2TokenInvalid(fault.reason) from None
    except ProviderFault as fault:
        provider_faults.record(provider, fault)
        raise Overloaded from None
    invitation_id = await presented_invitations.find(ctx)
    return session_response(ctx, await db.run_with_retry(lambda: _open(ctx, proof, body, invitation_id)))


async def _native(ctx: RequestContext, name: str) -> Provider:
    """Return a provider whose ID tokens are taken. Raises ProviderUnsupported and ProviderDisabled."""
    profile = profiles.find(name)
    if profile is None or not profile.native:
        raise ProviderUnsupported
    provider = await ctx.services.providers.find_provider(ctx.project.id, name)
    if provider is None or not provider.native or not provider.audiences:
        raise ProviderDisabled
    return provider


async def _open(
    ctx: RequestContext, proof: NativeProof, body: CreateIdTokenSession, invitation_id: str | None
) -> OpenedSession:
    """Use the token up and open the session, both or neither."""
    tokens = _tokens(body)
    async with ctx.unit_of_work() as tx:
        if not await used_id_tokens.record(tx, ctx.project.id, digest=proof.digest, expires_at=proof.expires_at):
            raise OAuth2TokenInvalid("Token was used already")
        signed_in = await identities.sign_in_by_identity(
            ctx,
            tx,
            proof.identity,
            provider_answer=tokens,
            link_to=ctx.found_member,
            name=body.name or "",
            invitation_id=invitation_id,
        )
        opened = await open_by_identity(ctx, tx, signed_in)
        await identities.close_earlier(ctx, tx, signed_in.user, replaced_by=opened.session.id)
    return opened


def _tokens(body: CreateIdTokenSession) -> ProviderTokens | None:
    """Return the tokens that the app wants kept; they prove nothing."""
    if body.accessToken is None or not body.accessToken.reveal():
        return None
    return ProviderTokens(body.accessToken, expires_in=body.accessTokenExpiry)
