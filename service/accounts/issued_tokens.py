"""One-time tokens that a request issues, in its own transaction, under the key of today."""

from service.crypto import key_derivation
from service.http.context import RequestContext
from service.store import invitations, tokens
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork
from service.store.users import User


async def issue_to_user(
    ctx: RequestContext, tx: UnitOfWork, *, kind: Kind, user: User, seconds: int, token_id: str | None = None
) -> Token:
    """Issue a token for a user's address, or number, as it is now; `token_id` where something else has that id too."""
    by_phone = kind in tokens.OF_PHONES
    return await tokens.issue(
        tx,
        ctx.project.id,
        kind=kind,
        user_id=user.id,
        requested_user_id=user.id if kind in tokens.CODES else None,  # by which a code is looked up
        email=(user.phone if by_phone else user.email) or "",
        email_version=user.phone_version if by_phone else user.email_version,
        kid=key_derivation.current(ctx.services.ring),
        seconds=seconds,
        token_id=token_id,
    )


async def issue_to_address(
    ctx: RequestContext,
    tx: UnitOfWork,
    *,
    kind: Kind,
    address: str,
    seconds: int,
    requested_user_id: str | None = None,
    invitation_id: str | None = None,
) -> Token:
    """Issue a token for an address or a number, whoever has it; it has no user before it is used."""
    token = await tokens.issue(
        tx,
        ctx.project.id,
        kind=kind,
        email=address,
        requested_user_id=requested_user_id,
        kid=key_derivation.current(ctx.services.ring),
        seconds=seconds,
    )
    if invitation_id:
        await invitations.remember(tx, ctx.project.id, token_id=token.id, invitation_id=invitation_id)
    return token
