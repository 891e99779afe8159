"""The journey of crashes through feed and webhook, bounces, the export and the chain of the security log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from service import failpoints
from service.crypto.key_derivation import KeyRing
from service.db import Pool, transaction
from service.store import webhooks
from testkit import bounce_webhooks, log_chain
from testkit.api_keys import key
from testkit.bounce_reporter import ADDRESS, BounceReporter, insist
from testkit.client import Client, Member
from testkit.cluster import ALL_ENDED
from testkit.crashes import HASTEN, Ground
from testkit.history import History
from testkit.processes import lasting_port
from testkit.waiting import until
from testkit.webhook_receiver import Receiver

SETTINGS = {"WEBHOOK_NETWORKS": "127.0.0.0/8", "BOUNCE_ADDRESS": ADDRESS}
# Seconds in the place of the hour between two rounds that sign the log's chains.
HOUR = "1"
WEBHOOK = "crm"
# Points of what is new on this journey; the others are on the other two.
_FILES = ("webhooks", "event_feed", "events", "suppressions", "delivery_reports", "log_chain", "log_checkpoints",
          "account_export")  # fmt: skip
_WORDS = ("webhook.post", "db.begin", "db.commit", *(f"db.{name}" for name in failpoints.statements(*_FILES)))
POINTS = frozenset(f"{word}.{side}" for word in _WORDS for side in ("before", "after"))
# A lane's lease lasts 40 s and is never renewed; who has had one for 5 s has no live worker in a run without waits. The
# nine attempts that are left of three days fail like the first one.
_LANES = (
    "update webhook_lanes set due_at = now() where (lease_by is null and due_at > now())"
    " or (lease_by is not null and due_at between now() and now() + interval '35 s')"
)
_ATTEMPTS = (
    "update webhook_deliveries set attempts = 9 where state = 'pending' and attempts between 1 and 8"
    " and user_id = 'dora'"
)
_CLEAR = (
    "delete from webhook_lanes",
    "delete from feed_events",
    "delete from suppressions",
    "update event_feeds set last_number = 0, deleted_through = 0",
    "update webhook_endpoints set status = 'enabled', failing_since = null",
)


@dataclass
class WebhookGround(Ground):
    """Ground with a webhook, and with those who report on mails; `key` are the headers of who reads the feed."""

    pool: Pool
    ring: KeyRing = field(repr=False)
    receiver: Receiver
    reporter: BounceReporter
    key: dict[str, str]
    replayed: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    hasten: ClassVar[tuple[str, ...]] = (*HASTEN, _LANES, _ATTEMPTS)

    async def walk(self, client: Client) -> None:
        client.secrets.add(self.receiver.secret)
        self.receiver.refused = {"dora"}
        dora = await client.sign_up("dora")
        ann = await client.sign_up("ann")
        for member, report in (
            (ann, self.reporter.bounce_by_lmtp),
            (await client.sign_up("bob"), self.reporter.bounce_by_webhook),
            (await client.sign_up("carol"), self.reporter.complain_by_pipe),
        ):
            assert await client.sign_in(member)
            await report(await client.mail_of(await client.verify(member)))
            self.refused.add(await client.recover(member.email, user=member.user))
        await self._replay(client, dora)
        await until(lambda: self.connection.fetchval(ALL_ENDED), what="mails, events or deliveries are left")
        await self._export(client, ann)
        await self._read_feed(client)
        await self._verify_log()

    async def _replay(self, client: Client, member: Member) -> None:
        """Wait until an event of the member has failed for three days; replay it after the next one."""
        failed = "select event_id from webhook_deliveries where state = 'failed'"
        event_id = await until(lambda: self.connection.fetchval(failed), what="no delivery has failed")
        self.receiver.refused.clear()
        assert await client.sign_in(member)

        async def replay() -> int:
            self.replayed.append(str(event_id))
            return await webhooks.replay(self.pool, "shop", WEBHOOK, [event_id])

        await insist(replay)

    async def _export(self, client: Client, member: Member) -> None:
        act, data, _ = await client.insist("export", "GET", "/v1/account/export", member=member)
        assert act.status == 200, act
        assert data["account"]["$id"] == member.user
        assert "suppressed" in {mail["state"] for mail in data["mails"]}

    async def _read_feed(self, client: Client) -> None:
        ids: list[str] = []
        cursor = "0"
        while True:
            act, data, _ = await client.insist("feed", "GET", f"/v1/events?after={cursor}&limit=5", headers=self.key)
            assert act.status == 200, act
            if not data["events"]:
                break
            ids, cursor = ids + [event["id"] for event in data["events"]], data["cursor"]
        rows = await self.connection.fetch("select id from feed_events order by number")
        assert ids == [str(row[0]) for row in rows]

    async def _verify_log(self) -> None:
        """Wait until a checkpoint is signed, and verify the chain."""
        await until(lambda: self.connection.fetchval("select count(*) from log_checkpoints"), what="nothing is signed")

        async def verify() -> int:
            return await log_chain.verified_rows(self.pool, self.ring, "shop")

        rows = await insist(verify)
        assert rows == await self.connection.fetchval("select count(*) from logs")

    async def clear(self) -> None:
        await super().clear()
        for statement in _CLEAR:
            await self.connection.execute(statement)
        self.replayed, self.refused, self.reporter.reports = [], set(), []
        self.receiver.received.clear()
        self.receiver.taken.clear()

    async def history(self, client: Client) -> History:
        history = await super().history(client)
        history.posts = [event_id for event_id, _ in self.receiver.received]
        history.posts_taken, history.replayed, history.crashes = list(self.receiver.taken), self.replayed, 1
        history.reports, history.refused = self.reporter.reports, self.refused
        return history


@asynccontextmanager
async def webhook_ground(ground: Ground, ring: KeyRing) -> AsyncIterator[WebhookGround]:
    """Give the project `shop` a webhook, and the worker ports for bounces."""
    lmtp, port = lasting_port(), lasting_port()
    words = ground.environment | SETTINGS
    words |= {"BOUNCE_LMTP_PORT": str(lmtp), "BOUNCE_WEBHOOK_PORT": str(port)}
    words["BOUNCE_POSTMARK_AUTH"] = bounce_webhooks.POSTMARK_AUTH
    pool = Pool(ground.environment["DATABASE_URL"], size=2, name="test")
    async with Receiver() as receiver:
        async with transaction(pool, "shop") as tx:
            secret = await webhooks.create(tx, ring, "shop", WEBHOOK, url=receiver.url, types=[])
        receiver.secret = secret.reveal()
        reporter = BounceReporter(ring, lambda: lmtp, lambda: port)
        server = await key(pool, "events.read")
        yield WebhookGround(
            words, ground.folder, ground.sink, ground.connection, pool, ring, receiver, reporter, server
        )  # fmt: skip
        assert receiver.faults == []
    await pool.close()
