"""Codes that clients present. Every public route that takes one comes through here, so that all wrong ones count."""

import logging
from collections.abc import Collection, Sequence

from service.accounts import wrong_codes
from service.crypto import code_secrets
from service.crypto.secret import Secret
from service.http import device_cookie
from service.http.context import RequestContext
from service.store import test_accounts, token_lookups, token_secrets
from service.store.tokens import Kind, Token

log = logging.getLogger(__name__)


async def find_token(ctx: RequestContext, *kinds: Kind, user_id: str, code: Secret) -> Token | None:
    """Find the live token of one of these kinds that a code opens; a wrong code is a guess at each kind.

    Raises TooManyRequests, before anything is compared. Such a refusal uses up one of the code's guesses too: they are
    counted first, so that parallel ones count, and a code rarely outlives such a refusal.
    """
    text, ring = code.reveal(), ctx.services.ring
    counted = [(kind, await _count(ctx, kind, user_id, len(text))) for kind in kinds]
    asked_for = [token for _, candidates in counted for token in candidates]
    if len(text) < code_secrets.UNGUESSABLE:
        await wrong_codes.charge(ctx, known_device=_is_owners_device(ctx, {token.email for token in asked_for}))
    for kind, candidates in counted:
        found = token_secrets.match_code(
            candidates,
            ctx.project.id,
            kind=kind,
            requested_user_id=user_id,
            code=text,
            ring=ring,
            fixed=ctx.project.mock_phones,
        )
        if found is None:
            found = await _find_by_fixed_code(ctx, kind, candidates, code)
        if found is None:
            continue
        if kind is Kind.CUSTOM:  # a right secret is no guess at what else was asked for under this id
            for token in asked_for:
                await token_lookups.refund_attempt(ctx.pool, token)
        return found
    return None


async def _find_by_fixed_code(
    ctx: RequestContext, kind: Kind, candidates: Sequence[Token], code: Secret
) -> Token | None:
    """Find the token of a test account whose fixed code this is.

    A project with such domains does the same work for every wrong code: nobody learns which address has a fixed one.
    """
    if not ctx.project.test_domains or kind not in test_accounts.KINDS or len(code.reveal()) != code_secrets.DIGITS:
        return None
    asked_for = {each.email: each for each in candidates if test_accounts.may_have_one(ctx.project, each.email)}
    emails = [*asked_for, *[""] * (token_secrets.CANDIDATES - len(asked_for))]
    owners = await test_accounts.use_code(ctx.pool, ctx.services.ring, ctx.project.id, emails=emails, code=code)
    found = next((asked_for[email] for email in owners), None)
    if found:
        log.warning(
            "The fixed code of a test account was used",
            extra={"event": "test_account.code_used", "project": ctx.project.id, "kind": kind, "token": found.id},
        )
    return found


def _is_owners_device(ctx: RequestContext, emails: Collection[str]) -> bool:
    """Tell whether the device has signed in with each of these addresses, and that after it was proved.

    Otherwise a guesser would sign up with the address of somebody else and be a known device, or ask for an own code
    under the id at which the guesses are aimed.
    """
    devices = [device_cookie.find_verified(ctx, email) for email in emails]
    return bool(devices) and all(devices)


async def _count(ctx: RequestContext, kind: Kind, user_id: str, length: int) -> list[Token]:
    return await token_lookups.count_code_attempts(
        ctx.pool, ctx.project.id, kind=kind, requested_user_id=user_id, length=length
    )
