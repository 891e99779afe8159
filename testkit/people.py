"""Users who each ask for a mail.

They are made at the tables, since hashing their passwords would take longer than any fault. Their letters are asked
for as everybody's are, and timed from the answer to the relay's yes.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from service.db import Pool
from service.store import users
from testkit.client import Act, Client
from testkit.cluster import DATABASE, Cluster
from testkit.history import History

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Person:
    user: str
    email: str


async def create_people(cluster: Cluster, count: int, *, name: str = "p") -> list[Person]:
    """So many users of the project `shop`, none of whom has a password."""
    people = [Person(f"{name}{number}", f"{name}{number}@example.com") for number in range(count)]
    pool = Pool(cluster.postgres.url(DATABASE), size=_AT_ONCE, name="test")
    places = asyncio.Semaphore(_AT_ONCE)

    async def make(person: Person) -> None:
        async with places:
            await users.create(pool, "shop", user_id=person.user, email=person.email, name="", password_hash=None)

    await asyncio.gather(*(make(person) for person in people))
    await pool.close()
    return people


async def ask(clients: Sequence[Client], people: Sequence[Person]) -> None:
    """Request a recovery letter for each address, as fast as accepted, and each until it has a clear answer."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, person: Person) -> None:
        async with places:
            await clients[number % len(clients)].recover(person.email, user=person.user)

    await asyncio.gather(*(one(number, person) for number, person in enumerate(people)))


async def stream(clients: Sequence[Client], people: Sequence[Person], *, seconds: float) -> None:
    """Request them one after the other, evenly over that time whatever the answers take."""
    loop = asyncio.get_running_loop()
    began, rest = loop.time(), seconds / len(people)
    async with asyncio.TaskGroup() as group:
        for number, person in enumerate(people):
            group.create_task(clients[number % len(clients)].recover(person.email, user=person.user))
            await asyncio.sleep(began + (number + 1) * rest - loop.time())


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from the answer to a request, at `at` in time.monotonic(), until the relay had its mail."""

    at: float
    seconds: float


def delays(cluster: Cluster, history: History) -> list[Delay]:
    """Of every letter that was asked for by its token and arrived, the first copy; by the time of the answer."""
    arrived: dict[str, float] = {}
    for message, mail in zip(history.messages, cluster.sink.mails, strict=True):
        arrived.setdefault(message.message_id, mail.at)
    letters = {row.token: arrived[row.message_id] for row in history.rows if row.message_id in arrived}
    acts = [act for act in history.acts if act.acknowledged and act.token in letters]
    return sorted((_delay(act, letters[act.token]) for act in acts), key=lambda delay: delay.at)


def _delay(act: Act, arrived: float) -> Delay:
    answered = act.at + act.seconds
    return Delay(answered, max(0.0, arrived - answered))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of them doesn't exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def show(words: str) -> None:
    """Print a measurement that is not asserted, for runs with -s."""
    sys.stderr.write(f"\n{words}\n")
