"""Sign-in by other providers: a browser goes to the provider, comes back here, and goes on to the app."""

from aiohttp import web

from service import db
from service.accounts import identities, issued_tokens, oauth_flows
from service.api.sessions import OpenedSession, open_session, set_session_cookies
from service.errors import (
    AccountError,
    ArgumentInvalid,
    BadRequest,
    LoginTokenInvalid,
    OAuth2ProviderFailure,
    ProviderDisabled,
    ProviderUnsupported,
    RouteNotFound,
    UserBlocked,
)
from service.http import flow_addresses, flow_parameters, request_body, schemas
from service.http.context import RequestContext
from service.http.routing import contract, limited, public, without_guards
from service.identity_providers.provider import ProviderIdentity, ProviderTokens
from service.rate_limiter import HOUR
from service.store import identities as identity_rows
from service.store import identity_tokens, token_secrets, tokens, users
from service.store.oauth_flows import Flow
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork

# Seconds in which an app must open the session of a token.
_TOKEN = 60
_START = (ArgumentInvalid, ProviderUnsupported, ProviderDisabled, OAuth2ProviderFailure)


@public.get("/v1/account/sessions/oauth2/{provider}", navigation=True)
@limited(50, HOUR, by="ip", shared="create_anonymous_session")
@contract(status=301, query=schemas.FLOW, raises=_START)
async def create_oauth2_session(ctx: RequestContext) -> web.Response:
    """Send a browser to a provider, to come back with a session."""
    return flow_addresses.redirect(await oauth_flows.start(ctx, "session"))


@public.get("/v1/account/tokens/oauth2/{provider}", navigation=True)
@limited(50, HOUR, by="ip", shared="create_anonymous_session")
@contract(status=301, query=(*schemas.FLOW, schemas.FLOW_STATE), raises=_START)
async def create_oauth2_token(ctx: RequestContext) -> web.Response:
    """Send a browser to a provider, to come back with a token that opens a session at POST /account/sessions/token.

    An app's server asks for the address with its key, and sends its browser there.
    """
    return flow_addresses.redirect(await oauth_flows.start(ctx, "token"))


@without_guards.get("/v1/account/sessions/oauth2/callback/{provider}/{projectId}", page=True)
async def receive_oauth2_callback(ctx: RequestContext) -> web.Response:
    """Take what a provider sends back, and hand it on to where cookies are read."""
    return _hand_on(ctx, flow_parameters.handed_on_query(ctx), status=302)


@without_guards.post("/v1/account/sessions/oauth2/callback/{provider}/{projectId}", page=True)
async def receive_oauth2_form(ctx: RequestContext) -> web.Response:
    """Take the form that a provider has the browser send (Apple's response_mode=form_post), and hand it on."""
    return _hand_on(ctx, flow_parameters.handed_on(await request_body.load(ctx)), status=303)


def _hand_on(ctx: RequestContext, given: dict[str, str], *, status: int) -> web.Response:
    provider, project = ctx.path["provider"], ctx.path["projectId"]
    location = flow_addresses.end(provider, project, given)
    if location is None:
        raise RouteNotFound
    return flow_addresses.redirect(location, status)


@public.get("/v1/account/sessions/oauth2/{provider}/redirect", navigation=True)
@limited(50, HOUR, by="ip")
@contract(status=301, query=schemas.RETURNED, raises=(ArgumentInvalid, BadRequest))
async def finish_oauth2(ctx: RequestContext) -> web.Response:
    """Sign in whom the provider has signed in, and go on to the app; also with an error, once the flow is known."""
    answer = flow_parameters.returned(ctx)
    flow, proofs = await oauth_flows.take(ctx, answer)
    own = {"state": flow.app_state} if flow.app_state else {}
    try:
        proof, provider_answer = await oauth_flows.prove(ctx, flow, proofs, answer)
        location = await _finish(ctx, flow, proof, provider_answer, own)
    except AccountError as fault:
        ctx.fault = fault
        location = flow_addresses.failure(ctx, flow.failure, fault, own)
    return flow_addresses.redirect(location)


async def _finish(
    ctx: RequestContext, flow: Flow, proof: ProviderIdentity, answer: ProviderTokens, own: dict[str, str]
) -> str:
    """Open the session, or issue the token; return where the browser goes with it."""
    if flow.kind == "session":
        opened = await db.run_with_retry(lambda: _open(ctx, flow, proof, answer))
        return flow_addresses.success(ctx, flow.success, {}, session=set_session_cookies(ctx, opened))
    token = await db.run_with_retry(lambda: _issue(ctx, flow, proof, answer))
    secret = token_secrets.secret_of(ctx.services.ring, token)
    return flow_addresses.success(ctx, flow.success, {"userId": token.user_id or "", "secret": secret, **own})


async def _open(ctx: RequestContext, flow: Flow, proof: ProviderIdentity, answer: ProviderTokens) -> OpenedSession:
    async with ctx.unit_of_work() as tx:
        signed_in = await _sign_in(ctx, tx, flow, proof, answer)
        opened = await open_by_identity(ctx, tx, signed_in)
        await identities.close_earlier(ctx, tx, signed_in.user, replaced_by=opened.session.id)
    return opened


async def _sign_in(
    ctx: RequestContext, tx: UnitOfWork, flow: Flow, proof: ProviderIdentity, answer: ProviderTokens
) -> identities.SignedIn:
    return await identities.sign_in_by_identity(
        ctx,
        tx,
        proof,
        provider_answer=answer,
        link_to=oauth_flows.member_to_link(ctx, flow),
        invitation_id=flow.invitation_id,
    )


async def open_by_identity(ctx: RequestContext, tx: UnitOfWork, signed_in: identities.SignedIn) -> OpenedSession:
    """Open a session in the transaction that has found the identity's user."""
    return await open_session(
        ctx,
        tx,
        signed_in.user,
        provider=signed_in.identity.provider,
        first_factor="oauth2",
        identity=signed_in.identity,
        assurance=2 if signed_in.two_factors else 1,
    )


async def _issue(ctx: RequestContext, flow: Flow, proof: ProviderIdentity, answer: ProviderTokens) -> Token:
    async with ctx.unit_of_work() as tx:
        signed_in = await _sign_in(ctx, tx, flow, proof, answer)
        identities.check_same(ctx, signed_in.user)
        token = await issued_tokens.issue_to_user(ctx, tx, kind=Kind.OAUTH2, user=signed_in.user, seconds=_TOKEN)
        await identity_tokens.record(
            tx,
            ctx.project.id,
            token_id=token.id,
            identity_id=signed_in.identity.id,
            two_factors=signed_in.two_factors,
        )
    return token


async def open_by_token(ctx: RequestContext, found: Token) -> OpenedSession:
    """Open a session by a token of a flow. Raises LoginTokenInvalid, UserBlocked."""
    async with ctx.unit_of_work() as tx:
        user = await users.lock(tx, ctx.project.id, user_id=found.user_id or "")
        kept = await identity_tokens.find(tx, ctx.project.id, token_id=found.id)
        token = await tokens.redeem(tx, found)
        identity = await identity_rows.find(tx, user, identity_id=kept.identity_id) if user and kept else None
        if user is None or token is None or kept is None or identity is None:
            raise LoginTokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        return await open_by_identity(ctx, tx, identities.SignedIn(user, identity, kept.two_factors))
