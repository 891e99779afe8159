"""Tokens of providers: kept and shown for a project that wants so, and exchanged for new ones.

In other projects nobody could read them, so they are not kept at all.
"""

import asyncio
import logging

from service.accounts import provider_faults
from service.crypto.sealing import CannotUnseal
from service.errors import Overloaded
from service.http.context import RequestContext
from service.http.responses import NO_TOKENS, ShownTokens
from service.identity_providers.faults import ProviderError, ProviderFault
from service.identity_providers.provider import Provider, ProviderTokens
from service.store import identities
from service.store.identities import Identity, SessionIdentity, Tokens
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

log = logging.getLogger(__name__)
# Characters of a token that is kept; seconds after which an access token counts as one that lasts.
_LONGEST, _LASTING = 16_000, 10 * 365 * 86_400
# While another request exchanges the refresh token.
_PAUSE, _WAITS = 0.25, 24


async def save(ctx: RequestContext, tx: UnitOfWork, found: Identity, answer: ProviderTokens) -> Identity:
    """Keep what a provider has answered; an earlier refresh token stays where no new one came."""
    earlier = _opened(ctx, found)
    refresh = answer.refresh_token or (earlier.refresh if earlier else None)
    if max(len(token.reveal()) for token in (answer.access_token, refresh) if token) > _LONGEST:
        return found
    seconds = min(answer.expires_in, _LASTING) if answer.expires_in is not None else None
    kept = Tokens(answer.access_token, refresh)
    return await identities.save_tokens(tx, ctx.services.ring, found, kept, seconds=seconds) or found


def shown(ctx: RequestContext, found: Identity | SessionIdentity | None) -> ShownTokens:
    """Return the tokens for the client of a project that shows them."""
    tokens = _opened(ctx, found) if found and ctx.project.provider_tokens else None
    if found is None or tokens is None:
        return NO_TOKENS
    refresh = tokens.refresh.reveal() if tokens.refresh else ""
    return ShownTokens(tokens.access.reveal(), refresh, found.access_until)


async def of_sessions(ctx: RequestContext, user: User) -> dict[str, ShownTokens]:
    """Map the ids of a user's sessions to the tokens that they show; without a query where none are shown."""
    if not ctx.project.provider_tokens:
        return {}
    found = await identities.of_sessions(ctx.pool, user)
    return {session_id: shown(ctx, identity) for session_id, identity in found.items()}


async def refresh(ctx: RequestContext, user: User, *, session_id: str) -> None:
    """Exchange the refresh token of a session's provider, if there is one; call it outside any transaction.

    Raises OAuth2ProviderError if the provider takes it no more, and Overloaded without an answer: then nothing changes.
    """
    if not ctx.project.provider_tokens:
        return
    found = (await identities.of_sessions(ctx.pool, user)).get(session_id)
    tokens = _opened(ctx, found) if found else None
    provider = await ctx.services.providers.find_provider(ctx.project.id, found.provider) if found else None
    if found is None or tokens is None or tokens.refresh is None or provider is None or not provider.usable:
        return
    claimed = await _claim(ctx, found)
    if claimed is not None:
        answer = await _exchange(ctx, provider, claimed, tokens)
        async with ctx.unit_of_work() as tx:
            await save(ctx, tx, claimed, answer)


async def _claim(ctx: RequestContext, found: SessionIdentity) -> Identity | None:
    """Wait for the right to exchange the token, which may work once; None if another request has exchanged it."""
    for _ in range(_WAITS):
        claimed = await identities.claim_refresh(ctx.pool, found)
        if claimed is not None:
            if claimed.sealed == found.sealed:
                return claimed
            await identities.release_refresh(ctx.pool, claimed)
            return None
        await asyncio.sleep(_PAUSE)
    raise Overloaded(retry_after=1)


async def _exchange(ctx: RequestContext, provider: Provider, claimed: Identity, tokens: Tokens) -> ProviderTokens:
    assert tokens.refresh is not None  # noqa: S101 - the caller has looked
    try:
        return await ctx.services.identity_providers.refresh(provider, refresh_token=tokens.refresh)
    except ProviderError as fault:
        if fault.code == "invalid_grant":
            await identities.void_tokens(ctx.pool, claimed)
        else:
            await identities.release_refresh(ctx.pool, claimed)
        raise provider_faults.refusal(provider, fault) from None
    except ProviderFault as fault:
        await identities.release_refresh(ctx.pool, claimed)
        provider_faults.refusal(provider, fault)
        raise Overloaded(retry_after=5) from None


def _opened(ctx: RequestContext, found: Identity | SessionIdentity) -> Tokens | None:
    try:
        return identities.tokens_of(ctx.services.ring, found)
    except CannotUnseal as fault:
        log.error(  # noqa: TRY400 - the reason says all
            "A provider's tokens can't be read",
            extra={
                "event": "provider.tokens_unreadable",
                "project": found.project_id,
                "user": found.user_id,
                "fault": str(fault),
            },
        )
        return None
