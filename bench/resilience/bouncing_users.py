"""A webhook, mails that bounce and exports of accounts while something breaks."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.resilience.result import Row
from service.crypto.key_derivation import KeyRing
from service.db import Pool, transaction
from service.store import webhooks
from testkit import log_chain, webhook_invariants
from testkit.bounce_reporter import ADDRESS, BounceReporter
from testkit.client import OLD, Client, Member, Unanswered
from testkit.cluster import DATABASE, Cluster
from testkit.history import History
from testkit.webhook_receiver import Receiver

SETTINGS = {"WEBHOOK_NETWORKS": "127.0.0.0/8", "BOUNCE_ADDRESS": ADDRESS}
# Seconds that a person waits, and a mail at most: a worker that was killed may have had it.
_PATIENCE = 180.0
# Seconds between an event and the webhook's answer, in which a worker may be killed.
_ANSWER = 0.1


def _ring() -> KeyRing:
    kid, _, key = OLD.partition(":")
    return {kid: bytes.fromhex(key)}


@dataclass
class BouncingUsers:
    """People whose mails bounce.

    `exports` counts documents that came whole, and requests that gave none: as a rule no API listened. `unserved` are
    people who got no answer, or no mail, in three minutes.
    """

    cluster: Cluster
    receiver: Receiver
    chance: random.Random
    refused: set[str] = field(default_factory=set)
    exports: Counter[str] = field(default_factory=Counter)
    unserved: int = 0
    log_rows: int = 0
    _number: int = 0

    def __post_init__(self) -> None:
        self.reporter = BounceReporter(_ring(), self._lmtp_port, patience=_PATIENCE)

    def _lmtp_port(self) -> int:
        return int(self.chance.choice(self.cluster.workers).environment["BOUNCE_LMTP_PORT"])

    async def bounce(self) -> None:
        """Somebody signs up; the mail comes back, which is reported; the next mail is not sent."""
        self._number += 1
        client = self.cluster.client(self._number)
        client.patience = _PATIENCE
        member = await client.sign_up(f"b{self._number}")
        assert await client.sign_in(member)
        mail = await client.mail_of(await client.verify(member), seconds=_PATIENCE)
        await self.reporter.bounce_by_lmtp(mail)
        self.refused.add(await client.recover(member.email, user=member.user))

    async def export(self, client: Client, member: Member) -> None:
        """Read the account's export once; what comes as a whole is whole."""
        act, data, _ = await client.call("export", "GET", "/v1/account/export", member=member)
        assert act.unclear or act.status == 200, act
        self.exports["broken" if act.unclear else "whole"] += 1
        if not act.unclear:
            assert data["account"]["$id"] == member.user
            assert data.keys() >= {"mails", "sms", "logs"}

    async def add_to(self, history: History, *, kills: int) -> None:
        """Add what the webhook got and what was reported; verify the log's chain."""
        history.posts = [event_id for event_id, _ in self.receiver.received]
        history.posts_taken, history.crashes = list(self.receiver.taken), kills
        history.reports, history.refused = self.reporter.reports, self.refused
        pool = Pool(self.cluster.postgres.url(DATABASE), size=1, name="figure")
        self.log_rows = await log_chain.verified_rows(pool, _ring(), "shop")
        await pool.close()

    async def again_and_again(self, act: str, clients: list[tuple[Client, Member]], ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                await (self.bounce() if act == "bounce" else self.export(*self.chance.choice(clients)))
            except (TimeoutError, Unanswered):
                self.unserved += 1
            await asyncio.sleep(self.chance.uniform(0, 1))


@asynccontextmanager
async def bouncing_users(cluster: Cluster, chance: random.Random) -> AsyncIterator[BouncingUsers]:
    """Give the project a webhook."""
    pool = Pool(cluster.postgres.url(DATABASE), size=1, name="figure")
    async with Receiver(seconds=_ANSWER) as receiver:
        async with transaction(pool, "shop") as tx:
            secret = await webhooks.create(tx, _ring(), "shop", "crm", url=receiver.url, types=[])
        await pool.close()
        receiver.secret = secret.reveal()
        yield BouncingUsers(cluster, receiver, chance)
        assert receiver.faults == []


def rows(history: History, users: BouncingUsers) -> list[Row]:
    """Make the table's rows of the webhook, of bounces, exports and the log."""
    owed = [event for event in history.feed if event.state]
    taken = Counter(history.posts_taken)
    twice = taken.total() - len(taken)
    missing = sum(event.id not in taken for event in owed)
    astray = len([*webhook_invariants.misordered(history)])
    steps: defaultdict[str, int] = defaultdict(int)
    for step in history.steps:
        steps[step.mail] += step.name == "bounced"
    known = {report.mail for report in history.reports}
    gone, again = sum(not steps[mail] for mail in known), sum(steps[mail] > 1 for mail in known)
    sent = sum(row.token in history.refused and row.state != "suppressed" for row in history.rows)
    return [
        Row("events of the feed, each owed to the webhook", str(len(owed))),
        Row("events lost", str(missing), "0", not missing),
        Row("events taken a second time", str(twice)),
        Row("events of a user out of order", str(astray), "0", not astray),
        Row("bounces reported", str(len(known))),
        Row("of them lost, and recorded twice", f"{gone}, {again}", "0, 0", not gone and not again),
        Row("mails sent to a suppressed address", str(sent), "0", not sent),
        Row("exports: whole, and cut off or refused", f"{users.exports['whole']}, {users.exports['broken']}"),
        Row("people who were not served in three minutes", str(users.unserved)),
        Row("rows of the security log in its verified chain", str(users.log_rows)),
    ]
