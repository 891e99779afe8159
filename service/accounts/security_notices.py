"""Notices: what was done to an account is told to its owner, with a way back (reliability.md B13).

Only a proved address gets the link: an unproved one may be a stranger's, who must not get an account by it.
"""

from typing import Literal
from uuid import UUID

from service.accounts import outgoing_mail
from service.db import Connection
from service.http.context import RequestContext
from service.store.tokens import Kind
from service.store.users import User

# How long what a notice tells of can be undone.
SECONDS = 72 * 3600
Letter = Literal["email_changed", "password_changed", "new_device"]


async def enqueue(ctx: RequestContext, tx: Connection, *, letter: Letter, user: User) -> list[UUID]:
    """In the act's own transaction; `user` as it was before. The mails to ring for: none without an address."""
    if user.email is None:
        return []
    if not user.email_verified:
        return [await outgoing_mail.enqueue_notice(ctx, tx, letter=letter, recipient=user.email, user=user)]
    kind = Kind.EMAIL_UNDO if letter == "email_changed" else Kind.ACCOUNT_UNDO
    token = await outgoing_mail.issue_token(ctx, tx, kind=kind, user=user, seconds=SECONDS)
    return [await outgoing_mail.enqueue(ctx, tx, letter=letter, token=token)]
