"""Whoever reports on mails that were sent: a mail server by LMTP and by pipe, a provider by its webhook.

Each hands a report over until it is taken, as those do.
"""

import asyncio
import io
import smtplib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp

from service.crypto.key_derivation import KeyRing
from testkit import bounce_webhooks, bounces
from testkit.history import Report
from testkit.sink import Mail
from worker.bounces import pipe
from worker.bounces.return_path import ReturnPath

ADDRESS = "bounces@bounces.accounts.test"
_REST = 0.1
Outcome = TypeVar("Outcome")


class Untaken(Exception):
    """It was not taken yet, and is handed over again."""


async def insist(act: Callable[[], Awaitable[Outcome]], *, seconds: float = 60) -> Outcome:
    """Repeat an act of another program until it succeeds, whatever breaks in it; in a task that may be cancelled."""
    until = asyncio.get_running_loop().time() + seconds
    while True:
        task = asyncio.ensure_future(act())
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None:
            return task.result()
        if asyncio.get_running_loop().time() > until:
            raise TimeoutError("it was tried in vain") from None if task.cancelled() else task.exception()
        await asyncio.sleep(_REST)


@dataclass
class BounceReporter:
    """`reports` are those that were taken; ports are asked for each time, since they may be of several workers."""

    ring: KeyRing = field(repr=False)
    lmtp_port: Callable[[], int]
    webhook_port: Callable[[], int] = lambda: 0
    patience: float = 60.0
    reports: list[Report] = field(default_factory=list)

    async def bounce_by_lmtp(self, mail: Mail) -> None:
        raw = bounces.dsn(mail.sender, mail.recipients[0])

        async def hand_over() -> None:
            try:
                code, text = await bounces.hand_over(self.lmtp_port(), mail.sender, raw)
            except (OSError, smtplib.SMTPException) as error:
                raise Untaken from error
            assert code in (250, 421, 451), text
            if code != 250:
                raise Untaken

        await self._until_taken(hand_over, mail, "bounced")

    async def bounce_by_webhook(self, mail: Mail) -> None:
        event = bounce_webhooks.postmark_event(mail.recipients[0], self._mail_id(mail).replace("-", ""))
        call = bounce_webhooks.postmark(event)

        async def post() -> None:
            try:
                status = await bounce_webhooks.post(self.webhook_port(), "postmark", call)
            except (OSError, aiohttp.ClientError) as error:
                raise Untaken from error
            if status != 204:
                raise Untaken(str(status))

        await self._until_taken(post, mail, "bounced")

    async def complain_by_pipe(self, mail: Mail) -> None:
        raw = bounces.arf(ADDRESS, mail.sender)

        async def run() -> None:
            if code := await asyncio.to_thread(pipe.run, [], io.BytesIO(raw)):
                raise Untaken(str(code))

        await self._until_taken(run, mail, "complained")

    async def _until_taken(self, act: Callable[[], Awaitable[None]], mail: Mail, outcome: str) -> None:
        await insist(act, seconds=self.patience)
        self.reports.append(Report(self._mail_id(mail), outcome))

    def _mail_id(self, mail: Mail) -> str:
        found = ReturnPath(ADDRESS, self.ring).mail_of(mail.sender)
        assert found, mail.sender
        return str(found)
