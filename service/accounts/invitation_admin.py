"""Invitations, made by an operator or by a server with a key.

An invited address gets a letter whose link is that of a private sign-up begun for it: its use proves the address and
makes the account. Token and invitation have one id.
"""

from dataclasses import dataclass

from service import ids
from service.accounts.user_admin import AdminContext
from service.crypto import invitation_codes
from service.crypto.secret import Secret
from service.errors import UserExists
from service.store import invitations, outbox, signups, tokens, users
from service.store.invitations import Invitation
from service.store.tokens import Kind

LONGEST_SECONDS, USUAL_SECONDS = 365 * 86_400, 7 * 86_400
MOST_USES = 10_000
LONGEST_NOTE = 128


@dataclass(frozen=True, slots=True)
class LetterTerms:
    """Name that the account gets, the letter's language, the app's own page, the key of the link, and the sender."""

    name: str
    locale: str
    url: str | None
    kid: str
    sender: str


async def create_code(operator: AdminContext, *, most_uses: int, seconds: int, note: str) -> tuple[Invitation, Secret]:
    """Make a code, which is known to the caller alone from now on: a digest is kept."""
    code = invitation_codes.generate()
    made = await invitations.create(
        operator.pool, operator.project_id, code=code, note=note, most_uses=most_uses, seconds=seconds
    )
    return made, code


async def invite_address(
    operator: AdminContext, *, email: str, seconds: int, note: str, letter: LetterTerms
) -> Invitation:
    """Invite an address by a letter; a former invitation of it ends. Raises UserExists if it has an account."""
    if await users.find_by_email(operator.pool, operator.project_id, email=email) is not None:
        raise UserExists
    project_id = operator.project_id
    async with operator.unit_of_work() as tx:
        await invitations.delete_of_address(tx, project_id, email=email)
        made = await invitations.create(tx, project_id, email=email, note=note, seconds=seconds)
        token = await tokens.issue(
            tx,
            project_id,
            kind=Kind.VERIFICATION,
            email=email,
            requested_user_id=ids.new(),
            kid=letter.kid,
            seconds=seconds,
            token_id=made.id,
        )
        # No password was given, so no browser can have given it.
        await signups.record(tx, project_id, token_id=token.id, name=letter.name, password_hash="")
        await outbox.enqueue(
            tx,
            project_id,
            letter="invitation",
            recipient=email,
            token_id=token.id,
            locale=letter.locale,
            facts={"modern": True, "iso": True, "short_links": True, "url": letter.url},
            deadline_at=token.expires_at,
            sender=letter.sender,
        )
    return made


async def revoke(operator: AdminContext, *, invitation_id: str) -> bool:
    """End an invitation, its link too; False if there is none of this id."""
    async with operator.unit_of_work() as tx:
        return await invitations.delete(tx, operator.project_id, invitation_id=invitation_id)
