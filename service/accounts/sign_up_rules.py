"""Rules of a project for accounts that clients make. None looks at accounts: no answer tells who has one."""

from service.accounts import presented_invitations
from service.errors import SignUpClosed
from service.http.context import RequestContext
from service.store import invitations
from service.store.projects import Project
from service.store.tokens import Token
from service.store.unit_of_work import UnitOfWork


def allows(project: Project, email: str | None) -> bool:
    """Tell whether anybody with this address, or without any, may make an account uninvited."""
    match project.sign_up:
        case "open":
            return True
        case "domains":
            return bool(email) and str(email).rpartition("@")[2] in project.sign_up_domains
    return False


async def admit(ctx: RequestContext, email: str | None) -> str | None:
    """Return the invitation that an account is to be made with, to be used up with it; None where none is needed.

    Raises SignUpClosed, and TooManyRequests for a client that guesses.
    """
    if allows(ctx.project, email):
        return None
    invitation_id = await presented_invitations.find(ctx)
    if invitation_id is None:
        raise SignUpClosed
    return invitation_id


async def use(ctx: RequestContext, tx: UnitOfWork, invitation_id: str | None) -> None:
    """Use up one place of the invitation that `admit` has found. Raises SignUpClosed if another took the last."""
    if invitation_id and not await invitations.use(tx, ctx.project.id, invitation_id=invitation_id):
        raise SignUpClosed


async def may_create(
    ctx: RequestContext, tx: UnitOfWork, *, email: str | None, token: Token | None = None,
    invitation_id: str | None = None,
) -> bool:  # fmt: skip
    """Tell whether an account may be made for a proved address, or without any, and use up its invitation.

    It is the address's own, that of the request, or the one that the token was asked for with: before the token is.
    """
    if allows(ctx.project, email):
        return True
    if ctx.project.sign_up != "invitation":
        return False
    token_id = token.id if token else None
    return await invitations.use(tx, ctx.project.id, invitation_id=invitation_id, token_id=token_id, email=email)
