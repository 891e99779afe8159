"""History of a fault run after its end: the clients' log, Postgres, Redis, the sink, the programs' output.

history = await gather(cluster)
assert not breaches(history)   # testkit/invariants.py
"""

import base64
import email
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from redis.asyncio import Redis

from testkit.client import Act, names_of, read_log
from testkit.cluster import DATABASE, Cluster
from testkit.postgres import session
from testkit.sink import Mail


def _unrecorded(table: str, event: str) -> str:
    """Count users for whom one of two was written without the other."""
    proved = "and verified_at is not null" if table == "authenticators" else ""
    return f"""from users u where
        (select count(*) from {table} r where r.project_id = u.project_id and r.user_id = u.id {proved}) <>
        (select count(*) from (select project_id, user_id, name from logs union all
            select project_id, user_id, name from events) e
            where e.project_id = u.project_id and e.user_id = u.id and e.name = '{event}')"""


_FEED = """select f.number, f.id, f.user_id, d.state from feed_events f left join webhook_deliveries d
    on d.project_id = f.project_id and d.number = f.number order by f.number"""
# Rows that must be gone when everything has ended: half-done acts, and work that no process will resume.
LEFTOVERS = {
    "mails that have not ended": "from mails where state in ('pending', 'sending')",
    "leases on ended mails": "from mails where state <> 'sending' and lease_by is not null",
    "events not filed": "from events where ready",
    "events that wait for a token that is gone": """from events e where not ready and not exists (
        select from tokens t where t.project_id = e.project_id and t.id = e.token_id)""",
    "links without a letter": """from tokens t where kind not in ('custom', 'disavowal', 'email_undo', 'passkey',
        'oauth2') and not exists (select from mails m where m.project_id = t.project_id and m.token_id = t.id)
        and not exists (select from sms s where s.project_id = t.project_id and s.token_id = t.id)""",
    "SMS that have not ended": "from sms where state in ('pending', 'sending')",
    "deliveries to webhooks that have not ended": "from webhook_deliveries where state = 'pending'",
    "leases of webhooks that are owed nothing": "from webhook_lanes where lease_by is not null",
    "lanes of webhooks that count wrongly": """from webhook_lanes l where pending <> (
        select count(*) from webhook_deliveries d where d.project_id = l.project_id and d.endpoint_id = l.endpoint_id
        and d.user_id = l.user_id and d.state = 'pending')""",
    "entries of the log that its feed lacks": """from logs l join event_feeds f on f.project_id = l.project_id
        where l.user_id is not null and not exists (
            select from feed_events e where e.project_id = l.project_id and e.id = l.id)""",
    "leases on ended SMS": "from sms where state <> 'sending' and lease_by is not null",
    "links of nobody whose letter has ended": """from tokens t where user_id is null and kind = 'recovery'
        and not exists (select from mails m where m.project_id = t.project_id and m.token_id = t.id
            and m.state in ('pending', 'sending'))""",
    "links for an address that is no longer the user's": """from tokens t join users u
        on u.project_id = t.project_id and u.id = t.user_id where t.kind not in ('disavowal', 'email_undo')
        and t.email_version <> case when t.kind in ('phone_verification', 'mfa_phone') then u.phone_version
            else u.email_version end""",
    "codes of a challenge that is gone": """from tokens t where kind in ('mfa_email', 'mfa_phone') and not exists (
        select from challenges c where c.project_id = t.project_id and c.id = t.id)""",
    "tokens of a sign-in by a provider without its identity": """from tokens t where kind = 'oauth2' and not exists (
        select from identity_tokens i where i.project_id = t.project_id and i.token_id = t.id)""",
} | {f"users whose {table} and events differ": _unrecorded(table, event) for table, event in (
    ("authenticators", "account.authenticators.create"), ("passkeys", "account.passkeys.create"),
    ("identities", "account.identities.create"),
)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A mail in the outbox; without a token `token` is empty."""

    id: str
    letter: str
    state: str
    message_id: str
    token: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a mail's history (mail_events)."""

    mail: str
    name: str
    stage: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class SmsRow:
    """An SMS in the outbox; `sends` are the attempts that may have reached the phone."""

    id: str
    state: str
    sends: int
    token: str


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """SMS that the webhook has taken."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """Mail that the sink accepted; `digest` tells a true duplicate from another mail under the same Message-ID."""

    message_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Filed:
    user: str
    name: str


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """Event of the feed; `state` is that of its delivery to the webhook, empty where it is owed to none."""

    number: int
    id: str
    user: str
    state: str


@dataclass(frozen=True, slots=True)
class Report:
    """Report on a mail that was handed over, and taken."""

    mail: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `most` calls of an act in any `window` seconds for each value of a field of Act."""

    act: str
    by: str
    most: int
    window: float


@dataclass
class History:
    """`places` are texts in which no secret may stand, by what they are; `faults` are (from, to) as in Act.at.

    `posts` are the ids of events as they came to the webhook, `posts_taken` those that it answered with 2xx, `crashes`
    how often a worker ended or lost a line meanwhile; `refused` are tokens whose mail a suppressed address is not sent.
    """

    acts: list[Act] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    sms: list[SmsRow] = field(default_factory=list)
    sms_messages: list[SmsMessage] = field(default_factory=list)
    filed: list[Filed] = field(default_factory=list)
    feed: list[FeedEvent] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    posts_taken: list[str] = field(default_factory=list)
    replayed: list[str] = field(default_factory=list)
    crashes: int = 0
    reports: list[Report] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    leftovers: dict[str, int] = field(default_factory=dict)
    lasting_keys: list[str] = field(default_factory=list)
    faults: list[tuple[float, float]] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    places: dict[str, str] = field(default_factory=dict)

    def add_sms(self, taken: Iterable[dict[str, str]]) -> None:
        """Add what the webhook has taken."""
        self.sms_messages += [SmsMessage(sms["id"], sms["text"]) for sms in taken]


async def gather(cluster: Cluster, *, rules: Iterable[Rule] = ()) -> History:
    """All of it, of a cluster in which everything has ended."""
    history = History(acts=read_log(cluster.log), faults=list(cluster.faults), rules=list(rules))
    history.messages = [message_of(mail) for mail in cluster.sink.mails]
    history.secrets = known_to(secret for client in cluster.clients for secret in client.secrets)
    history.places = {
        f"the log of {process.words[0]} {number}": "\n".join(process.written)
        for number, process in enumerate(cluster.processes)
    }
    await read_postgres(history, cluster.postgres.url(DATABASE))
    await read_redis(history, cluster.valkey.url())
    history.places["the clients' log"] = cluster.log.read_text() if cluster.log.exists() else ""
    return history


def message_of(mail: Mail) -> Message:
    found = email.message_from_bytes(mail.content)["Message-ID"]
    return Message(str(found), hashlib.sha256(mail.content).hexdigest())


def known_to(secrets: Iterable[str]) -> set[str]:
    """Collect the secrets, and a cookie's value in its other spellings."""
    found = set()
    for secret in map(unquote, secrets):
        found.add(secret)
        try:
            found.add(str(json.loads(base64.b64decode(secret + "==="))["secret"]))
        except (ValueError, KeyError, TypeError):
            continue
    return {secret for secret in found if len(secret) >= 12}


async def read_postgres(history: History, url: str) -> None:
    async with session(url) as connection:
        mails = await connection.fetch("select id, letter, state, message_id, token_id, user_id from mails")
        known = {act.token for act in history.acts}
        history.rows = [
            Row(str(row[0]), row[1], row[2], row[3], _name(row[4] or "", known), row[5] or "") for row in mails
        ]
        sms = await connection.fetch("select id, state, sends, token_id from sms")
        history.sms = [SmsRow(str(row[0]), row[1], row[2], _name(row[3], known)) for row in sms]
        steps = await connection.fetch("select mail_id, name, stage, code from mail_events order by mail_id, id")
        history.steps = [Step(str(row[0]), row[1], row[2], row[3] or 0) for row in steps]
        filed = await connection.fetch("select user_id, name from logs union all select user_id, name from events")
        history.filed = [Filed(row[0] or "", row[1]) for row in filed]
        feed = await connection.fetch(_FEED)
        history.feed = [FeedEvent(row[0], str(row[1]), row[2], row[3] or "") for row in feed]
        for name, rest in LEFTOVERS.items():
            history.leftovers[name] = await connection.fetchval(f"select count(*) {rest}")
        for table in await connection.fetch("select tablename from pg_tables where schemaname = 'public'"):
            text = await connection.fetchval(f"select string_agg(t::text, chr(10)) from {table[0]} t")
            history.places[f"the table {table[0]}"] = text or ""


def _name(token: str, known: set[str]) -> str:
    """Return the name of a token by which an answer called it."""
    return next(iter(names_of(token) & known), token)


async def read_redis(history: History, url: str) -> None:
    redis = Redis.from_url(url)
    try:
        async for key in redis.scan_iter():
            name = key.decode(errors="replace")
            if await redis.ttl(key) == -1:
                history.lasting_keys.append(name)
            dump = await redis.dump(key) or b""
            history.places[f"the Redis key {name}"] = name + dump.decode("latin-1")
    finally:
        await redis.aclose()
