"""Invitations, made by an operator or by a server with a key."""

from service.accounts.user_admin import AdminContext
from service.crypto import invitation_codes
from service.crypto.secret import Secret
from service.errors import UserExists
from service.store import invitations, users
from service.store.invitations import Invitation

LONGEST_SECONDS, USUAL_SECONDS = 365 * 86_400, 7 * 86_400
MOST_USES = 10_000
LONGEST_NOTE = 128


async def create_code(operator: AdminContext, *, most_uses: int, seconds: int, note: str) -> tuple[Invitation, Secret]:
    """Make a code, which is known to the caller alone from now on: a digest is kept."""
    code = invitation_codes.generate()
    made = await invitations.create(
        operator.pool, operator.project_id, code=code, note=note, most_uses=most_uses, seconds=seconds
    )
    return made, code


async def invite_address(operator: AdminContext, *, email: str, seconds: int, note: str) -> Invitation:
    """Invite an address; a former invitation of it ends. Raises UserExists if it has an account."""
    if await users.find_by_email(operator.pool, operator.project_id, email=email) is not None:
        raise UserExists
    return await invitations.create(operator.pool, operator.project_id, email=email, note=note, seconds=seconds)
