"""Endpoints of webhooks, their secrets, and the deliveries that they are owed.

A delivery is pending until it is delivered or has failed. Those of one user to one endpoint are a lane, which one
worker at a time holds by a lease; it delivers the lowest that is pending.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from service import ids
from service.crypto import sealing, webhook_signatures
from service.crypto.key_derivation import KeyRing
from service.crypto.sealing import Place
from service.crypto.secret import Secret
from service.db import Connection, Executor, Pool, Queries
from service.store import event_feed

_sql = Queries("webhooks")
# Named in sql/queries/sealed_rows.sql too.
_PURPOSE = "webhook"
BY_OPERATOR = "an operator disabled it"
STATES = ("pending", "delivered", "failed")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`types` are the events that it gets, none for all; `failing_seconds` count since the last success."""

    project_id: str
    id: str
    url: str = field(repr=False)
    types: list[str]
    status: str
    created_at: datetime
    disabled_at: datetime | None
    reason: str | None
    failing_since: datetime | None
    failing_seconds: int
    pending: int


@dataclass(frozen=True, slots=True)
class EndpointState:
    """`state` is enabled, failing or disabled; `overdue` are the seconds for which a delivery has been due."""

    project_id: str
    id: str
    state: str
    reason: str | None
    overdue: float


@dataclass(frozen=True, slots=True)
class DueEndpoint:
    project_id: str
    id: str
    failing: bool


@dataclass(frozen=True, slots=True)
class Lane:
    user_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for an endpoint; `number` is its place in the feed."""

    project_id: str
    endpoint_id: str
    number: int
    event_id: UUID
    type: str
    user_id: str
    at: datetime
    state: str
    attempts: int
    last_status: int | None
    last_fault: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery whose lane this worker holds under `fence`."""

    delivery: Delivery
    fence: int


@dataclass(frozen=True, slots=True)
class SealedSecret:
    id: str
    kid: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FeedNumber:
    number: int
    at: datetime


async def create(
    conn: Connection, ring: KeyRing, project_id: str, endpoint_id: str, *, url: str, types: list[str]
) -> Secret:
    """Create an endpoint that gets the project's events from now on; return its secret, this once."""
    await event_feed.open_feed(conn, project_id)
    await _sql.run(conn, "create_webhook_endpoint", project_id=project_id, id=endpoint_id, url=url, types=types)
    return await _add_secret(conn, ring, project_id, endpoint_id)


async def change(
    conn: Executor, project_id: str, endpoint_id: str, *, url: str | None = None, types: list[str] | None = None
) -> None:
    await _sql.run(conn, "change_webhook_endpoint", project_id=project_id, id=endpoint_id, url=url, types=types)


async def enable(conn: Executor, project_id: str, endpoint_id: str) -> None:
    await _sql.run(conn, "enable_webhook_endpoint", project_id=project_id, id=endpoint_id)


async def disable(conn: Executor, project_id: str, endpoint_id: str, *, reason: str) -> bool:
    """Disable an endpoint: what it is owed waits, later events are not owed. False if it was disabled already."""
    facts = {"project_id": project_id, "id": endpoint_id, "reason": reason}
    return await _sql.run(conn, "disable_webhook_endpoint", **facts) == 1


async def disable_failing(conn: Executor, project_id: str, endpoint_id: str, *, reason: str, days: int) -> bool:
    """Disable an endpoint whose last success is longer ago; False if it is not."""
    facts = {"project_id": project_id, "id": endpoint_id, "reason": reason, "days": days}
    return await _sql.run(conn, "disable_failing_webhook_endpoint", **facts) == 1


async def delete(pool: Pool, project_id: str, endpoint_id: str) -> bool:
    """Delete an endpoint with all that it is owed; False if there is none. Repeated, it goes on where it was."""
    gone = await _sql.run(pool, "delete_webhook_endpoint", project_id=project_id, id=endpoint_id)
    facts = {"project_id": project_id, "endpoint_id": endpoint_id}
    while await _sql.run(pool, "delete_webhook_deliveries", **facts, most=_BATCH):
        pass
    return gone == 1


async def rotate(conn: Connection, ring: KeyRing, project_id: str, endpoint_id: str, *, overlap: float) -> Secret:
    """Make a new secret and return it, this once; the former ones sign beside it for so many seconds."""
    facts = {"project_id": project_id, "endpoint_id": endpoint_id}
    await _sql.run(conn, "delete_expired_webhook_secrets", **facts)
    await _sql.run(conn, "expire_webhook_secrets", **facts, seconds=overlap)
    return await _add_secret(conn, ring, project_id, endpoint_id)


async def _add_secret(conn: Executor, ring: KeyRing, project_id: str, endpoint_id: str) -> Secret:
    secret, secret_id = webhook_signatures.generate(), ids.new()
    kid, sealed = sealing.seal(ring, secret, Place(_PURPOSE, project_id, "", secret_id))
    facts = {"project_id": project_id, "endpoint_id": endpoint_id, "id": secret_id}
    await _sql.run(conn, "add_webhook_secret", **facts, kid=kid, sealed=sealed)
    return secret


async def live_secrets(conn: Executor, ring: KeyRing, project_id: str, endpoint_id: str) -> list[Secret]:
    """List the secrets that sign now, the newest first. Raises CannotUnseal."""
    facts = {"project_id": project_id, "endpoint_id": endpoint_id}
    found = await _sql.all(conn, "list_live_webhook_secrets", SealedSecret, **facts)
    return [sealing.unseal(ring, row.kid, row.sealed, Place(_PURPOSE, project_id, "", row.id)) for row in found]


async def page_endpoints(conn: Executor, project_id: str) -> list[Endpoint]:
    return await _sql.all(conn, "list_webhook_endpoints", Endpoint, project_id=project_id)


async def find(conn: Executor, project_id: str, endpoint_id: str) -> Endpoint | None:
    return await _sql.one(conn, "find_webhook_endpoint", Endpoint, project_id=project_id, id=endpoint_id)


async def list_states(conn: Executor) -> list[EndpointState]:
    """List the endpoints of all projects, with what is wrong with them."""
    return await _sql.all(conn, "list_all_webhook_endpoints", EndpointState)


async def list_due(conn: Executor) -> list[DueEndpoint]:
    """List the endpoints that have a delivery due."""
    return await _sql.all(conn, "list_due_webhook_endpoints", DueEndpoint)


async def claim(
    conn: Executor, project_id: str, endpoint_id: str, *, worker: str, lease: float, most: int
) -> list[Claim]:
    """Claim the lowest deliveries of users whose turn it is; `lease` is in seconds."""
    place = {"project_id": project_id, "endpoint_id": endpoint_id}
    lanes = await _sql.all(conn, "claim_webhook_lanes", Lane, **place, worker=worker, lease=lease, most=most)
    fences = {lane.user_id: lane.fence for lane in lanes}
    if not fences:
        return []
    found = await _sql.all(conn, "list_lowest_webhook_deliveries", Delivery, **place, user_ids=list(fences))
    return [Claim(delivery, fences[delivery.user_id]) for delivery in found]


async def end(
    conn: Executor, claim: Claim, *, state: Literal["delivered", "failed"], status: int | None, fault: str = ""
) -> bool:
    """End a delivery; False if another worker has claimed it since, or if it has ended."""
    facts = _place(claim) | {"number": claim.delivery.number, "status": status, "fault": fault}
    return await _sql.run(conn, "end_webhook_delivery", **facts, state=state) == 1


async def reschedule(conn: Executor, claim: Claim, *, seconds: float, status: int | None, fault: str) -> bool:
    """Have a delivery tried again; False if another worker has claimed it since."""
    facts = _place(claim) | {"number": claim.delivery.number, "status": status, "fault": fault}
    return await _sql.run(conn, "reschedule_webhook_delivery", **facts, seconds=seconds) == 1


async def release(conn: Executor, claim: Claim, *, seconds: float) -> None:
    """Give a delivery back that was not posted; it is due in so many seconds."""
    await _sql.run(conn, "release_webhook_lane", **_place(claim), seconds=seconds)


async def release_of_worker(conn: Executor, *, worker: str) -> int:
    """Release what this worker held when it died or was stopped; return how many."""
    return await _sql.run(conn, "release_webhook_lanes_of_worker", worker=worker)


def _place(claim: Claim) -> dict[str, object]:
    facts = {name: value for name, value in asdict(claim.delivery).items() if name in _LANE}
    return facts | {"fence": claim.fence}


_LANE = ("project_id", "endpoint_id", "user_id")


async def page_deliveries(
    conn: Executor, project_id: str, endpoint_id: str, *, states: Collection[str] | None, before: int | None, most: int
) -> list[Delivery]:
    """List deliveries, the newest first."""
    facts = {"project_id": project_id, "endpoint_id": endpoint_id, "before": before, "most": most}
    wanted = list(states) if states else None
    return await _sql.all(conn, "list_webhook_deliveries", Delivery, **facts, states=wanted)


async def replay(conn: Executor, project_id: str, endpoint_id: str, event_ids: Sequence[UUID]) -> int:
    """Owe events of the feed once more, under their ids; return how many are owed by it."""
    found = await _sql.all(conn, "find_feed_numbers", FeedNumber, project_id=project_id, event_ids=list(event_ids))
    return await _owe(conn, project_id, endpoint_id, [each.number for each in found])


async def replay_since(conn: Executor, project_id: str, endpoint_id: str, *, since: datetime, until: datetime) -> int:
    """Owe the events of a time once more, some at a time; return how many are owed by it.

    All are looked for first: events of a user are owed in the order of their numbers, and times don't rise with those.
    """
    numbers: list[int] = []
    last = FeedNumber(0, since)
    while True:
        facts = {"project_id": project_id, "after_at": last.at, "after": last.number, "until": until, "most": _BATCH}
        found = await _sql.all(conn, "list_feed_numbers", FeedNumber, **facts)
        numbers += [each.number for each in found]
        if len(found) < _BATCH:
            break
        last = found[-1]
    numbers.sort()
    batches = [numbers[begin : begin + _BATCH] for begin in range(0, len(numbers), _BATCH)]
    return sum([await _owe(conn, project_id, endpoint_id, batch) for batch in batches])


async def _owe(conn: Executor, project_id: str, endpoint_id: str, numbers: list[int]) -> int:
    facts = {"project_id": project_id, "endpoint_id": endpoint_id, "numbers": numbers}
    return int(await _sql.value(conn, "replay_webhook_events", **facts))


async def delete_old(conn: Executor, *, days: int, most: int) -> int:
    """Delete deliveries that ended longer ago, so many of each endpoint; return how many of the one with the most."""
    deleted = 0
    for endpoint in await list_states(conn):
        place = {"project_id": endpoint.project_id, "endpoint_id": endpoint.id, "most": most}
        await _sql.run(conn, "delete_idle_webhook_lanes", **place)
        deleted = max(deleted, await _sql.run(conn, "delete_ended_webhook_deliveries", **place, days=days))
    return deleted
