"""Notices to an account's owner of changes to it, with a link that undoes them.

Only a proved address gets the link: an unproved one may be another person's, who must not get an account by it.
"""

from typing import Literal
from uuid import UUID

from service.accounts import outgoing_mail
from service.db import Connection
from service.http.context import RequestContext
from service.store.tokens import Kind
from service.store.users import User

# Seconds for which the change of a notice can be undone.
SECONDS = 72 * 3600
Letter = Literal["email_changed", "password_changed", "new_device"]


async def enqueue(ctx: RequestContext, tx: Connection, *, letter: Letter, user: User) -> list[UUID]:
    """Owe the notice in the change's own transaction; `user` as it was before. Returns the mails, if any."""
    if user.email is None:
        return []
    if not user.email_verified:
        return [await outgoing_mail.enqueue_notice(ctx, tx, letter=letter, recipient=user.email, user=user)]
    kind = Kind.EMAIL_UNDO if letter == "email_changed" else Kind.ACCOUNT_UNDO
    token = await outgoing_mail.issue_token(ctx, tx, kind=kind, user=user, seconds=SECONDS)
    return [await outgoing_mail.enqueue(ctx, tx, letter=letter, token=token)]
