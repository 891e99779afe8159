"""Sign-in by a provider from its start to its end (docs/identities.md).

A flow ends in the browser that started it, or, if an app's server started it, in a token that only the app's own state
ties to a browser. Such a flow never touches the session of the browser that it ends in.
"""

from service.accounts import presented_invitations, provider_faults
from service.crypto.secret import Secret
from service.errors import BadRequest, ProviderDisabled, ProviderUnsupported
from service.http import authorization, flow_addresses, flow_cookies, flow_parameters
from service.http.context import RequestContext
from service.http.flow_parameters import Returned
from service.http.request_body import unfit_parameter
from service.identity_providers import callbacks, pkce, profiles
from service.identity_providers.faults import ProviderFault
from service.identity_providers.provider import Provider, ProviderIdentity, ProviderTokens
from service.store import oauth_flows
from service.store.members import Member
from service.store.oauth_flows import Flow, Kind, Proofs


async def start(ctx: RequestContext, kind: Kind) -> str:
    """Start a flow and return the address at the provider that the user goes on to.

    Raises ArgumentInvalid, ProviderUnsupported, ProviderDisabled, and what a provider that is away costs.
    """
    provider, invitation_id = await _usable(ctx), await presented_invitations.find_kept(ctx)
    success, failure = (
        flow_addresses.check(ctx, name, flow_parameters.one(ctx, name)) for name in ("success", "failure")
    )
    scopes, state = flow_parameters.scopes(ctx), flow_parameters.app_state(ctx) if kind == "token" else ""
    # An app's server calls for a browser that it can't give a cookie to.
    browser = None if kind == "token" and ctx.key else flow_cookies.new()
    named = oauth_flows.name(ctx.services.ring, ctx.project.id, provider.name)
    try:
        location = await ctx.services.identity_providers.authorization_url(
            provider,
            redirect_uri=_redirect_url(ctx, provider),
            state=named.proofs.state,
            nonce=named.proofs.nonce,
            code_challenge=pkce.challenge(named.proofs.verifier),
            scopes=scopes,
        )
    except ProviderFault as fault:
        raise provider_faults.refusal(provider, fault) from None
    await oauth_flows.create(
        ctx.pool,
        ctx.project.id,
        named,
        provider=provider.name,
        kind=kind,
        success=success,
        failure=failure,
        app_state=state,
        browser=browser,
        session_id=_session_to_link(ctx) if browser else None,
        invitation_id=invitation_id,
    )
    if browser:
        flow_cookies.remember(ctx, named.id, browser)
    return location


async def take(ctx: RequestContext, answer: Returned) -> tuple[Flow, Proofs]:
    """Use the flow up that a provider's answer is for.

    Raises BadRequest, without a word on why: for a made-up or used or expired state, one of another project or
    provider, and for another browser. Nothing of such a flow is trusted, not even where it would lead to.
    """
    provider = ctx.path["provider"]
    named = oauth_flows.read_state(ctx.services.ring, ctx.project.id, provider, answer.state)
    if named is None:
        raise BadRequest
    kept = flow_cookies.find(ctx, named.id)
    flow = await oauth_flows.take(ctx.pool, ctx.project.id, provider=provider, flow_id=named.id, browser=kept)
    if flow is None:
        raise BadRequest
    if flow.bound:
        flow_cookies.forget(ctx, flow.id)
    else:
        ctx.found_member = None
    return flow, named.proofs


async def prove(
    ctx: RequestContext, flow: Flow, proofs: Proofs, answer: Returned
) -> tuple[ProviderIdentity, ProviderTokens]:
    """Find out from the provider who has signed in there; call it outside any transaction.

    Raises ProviderDisabled, OAuth2ProviderError, OAuth2ProviderFailure.
    """
    provider = await ctx.services.providers.find_provider(ctx.project.id, flow.provider)
    if provider is None or not provider.usable:
        raise ProviderDisabled
    clients = ctx.services.identity_providers
    try:
        # Before anything else: an answer of another provider is not even an error of this one (RFC 9207).
        await clients.check_issuer(provider, answer.iss)
        if answer.error or not answer.code:
            raise provider_faults.refused(provider, answer.error or "no code", answer.description)
        tokens = await clients.exchange_code(
            provider,
            code=Secret(answer.code),
            verifier=proofs.verifier,
            redirect_uri=_redirect_url(ctx, provider),
        )
        return await clients.fetch_identity(provider, tokens, nonce=proofs.nonce, user_json=answer.user), tokens
    except ProviderFault as fault:
        raise provider_faults.refusal(provider, fault) from None


def _redirect_url(ctx: RequestContext, provider: Provider) -> str:
    return callbacks.url(ctx.services.settings.public_url, provider.name, ctx.project.id)


def member_to_link(ctx: RequestContext, flow: Flow) -> Member | None:
    """Return the member that a new identity is linked to: with the session of the flow's start, which lives still."""
    found = ctx.found_member
    return found if found is not None and found.session_id == flow.session_id else None


async def _usable(ctx: RequestContext) -> Provider:
    name = ctx.path["provider"]
    if not profiles.is_known(name):
        raise unfit_parameter(ctx, "provider", "Value must be the name of a provider")
    if profiles.find(name) is None:
        raise ProviderUnsupported
    provider = await ctx.services.providers.find_provider(ctx.project.id, name)
    if provider is None or not provider.usable:
        raise ProviderDisabled
    return provider


def _session_to_link(ctx: RequestContext) -> str | None:
    """Return the session that an identity may be linked to, if the member's own app has started the flow.

    Another page could send its visitor here too, with the visitor signed in at the provider as somebody else.
    """
    found = ctx.found_member
    return found.session_id if found and authorization.is_own_navigation(ctx) else None
