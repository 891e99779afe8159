"""Mails in the outbox as the API posts them."""

from uuid import UUID

from service.db import Executor, Pool
from service.store import events, outbox, outbox_claims, tokens
from service.store.events import Actor, Event
from service.store.outbox import DueMail
from service.store.outbox_claims import Claim
from service.store.tokens import Kind
from service.store.unit_of_work import unit_of_work

URL = "http://localhost/reset?from=mail"
ANN = "ann@example.com"


CALLER = Actor("192.0.2.1", "UNKNOWN")


async def list_due(pool: Pool) -> list[UUID]:
    """List the first ten mails that are due, the longest overdue first."""
    return [mail.id for mail in await outbox.find_due(pool, seconds=0, most=10)]


async def claim(conn: Executor, mail_id: UUID, *, worker: str, lease: float) -> Claim | None:
    """Claim one mail; None if it has ended or is another worker's."""
    projects = await outbox.find_projects(conn, [mail_id])
    due = [DueMail(mail_id, project_id) for project_id in projects.values()]
    return next(iter(await outbox_claims.claim_all(conn, due, worker=worker, lease=lease)), None)


async def request_mail(
    pool: Pool, email: str = ANN, *, user_id: str | None = None, era: dict[str, bool] | None = None
) -> UUID:
    """Enqueue a mail as the API does: a recovery's for an address, a verification's for a user."""
    kind = Kind.VERIFICATION if user_id else Kind.RECOVERY
    facts = {"url": URL} | (era or {})
    async with unit_of_work(pool, None) as tx:
        token = await tokens.issue(
            tx, "shop", kind=kind, email=email, kid="test", seconds=3600, user_id=user_id,
            email_version=1 if user_id else None,
        )  # fmt: skip
        mail = await outbox.enqueue(
            tx, "shop", letter=kind.value, recipient=email, user_id=user_id, locale="en", facts=facts,
            deadline_at=token.expires_at, sender="no-reply@accounts.test", token_id=token.id,
        )  # fmt: skip
        await events.record(tx, "shop", event=Event.RECOVERY_CREATE, user_id=user_id, token_id=token.id, by=CALLER)
    return mail
