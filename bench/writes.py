"""Acts that write: our process and the bare one alternately, the same requests. Limits, log and enqueueing are on.

Password hashes cost next to nothing here, on our side; the bare one makes none. Each request comes from an address of
its own, as clients do, and for another mailbox: no limit is reached, and no row is waited for. The tables are analyzed
before each turn, as autovacuum does with tables that grow: a throw-away server has it off, and a statement that is
planned for an empty table may read all of it.
"""

import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from bench.ground import AGENT, PROJECT, Ground, api
from bench.programs import Program, run
from bench.rounds import Tally, Who, interleave
from bench.rounds import rows as compared
from bench.table import Row
from bench.unhashed import HASHER
from service import ids
from service.crypto import key_derivation
from service.store import token_secrets, tokens, user_emails, users
from service.store.tokens import Kind
from testkit.proxy import Proxy

PASSWORD = "correct horse"  # noqa: S105 - of users who exist for minutes
_CONNECTIONS, _TURNS = 24, 3


@dataclass(frozen=True, slots=True)
class Act:
    """A row of the table; `goal` is by processor time alone, `bodies` makes so many of them."""

    name: str
    method: str
    path: str
    goal: float
    bodies: Callable[["Acts", int], Awaitable[list[dict[str, str]]]]


class Acts:
    """Requests, each of which can be done once."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self._numbers = ground, itertools.count()
        self._addresses: Iterator[str] = (
            f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}" for number in itertools.count(1)
        )

    async def requests(self, act: Act, count: int) -> list[str]:
        return [self._request(act, body) for body in await act.bodies(self, count)]

    def _request(self, act: Act, body: dict[str, str]) -> str:
        text = orjson.dumps(body).decode()
        lines = (
            "Host: localhost", f"User-Agent: {AGENT}", "Accept: */*", f"X-Appwrite-Project: {PROJECT}",
            f"X-Forwarded-For: {next(self._addresses)}", "Content-Type: application/json",
            f"Content-Length: {len(text)}",
        )  # fmt: skip
        return f"{act.method} {act.path} HTTP/1.1\r\n" + "".join(f"{line}\r\n" for line in lines) + f"\r\n{text}"

    async def strangers(self, count: int) -> list[dict[str, str]]:
        """Make requests for a link, for addresses that nobody has: the same rows are written as for those of users."""
        return [{"email": self._email(), "url": "http://localhost/reset"} for _ in range(count)]

    async def applicants(self, count: int) -> list[dict[str, str]]:
        return [{"email": self._email(), "password": PASSWORD} for _ in range(count)]

    def _email(self) -> str:
        return f"person-{next(self._numbers)}@example.com"

    async def owners(self, count: int) -> list[dict[str, str]]:
        """Make users, and the bodies that sign them in."""
        made = await self.applicants(count)
        hashed = HASHER.hash(PASSWORD)
        for body in made:
            await users.create(
                self.ground.pool, PROJECT, user_id=ids.new(), email=body["email"], name="", password_hash=hashed
            )
        return made

    async def links(self, count: int) -> list[dict[str, str]]:
        """Make users who have used nothing yet of what was mailed to them, and the bodies that set a new password."""
        ring, made = self.ground.settings.key_ring, []
        for body in await self.owners(count):
            user = await users.find_by_email(self.ground.pool, PROJECT, email=body["email"])
            assert user is not None
            await user_emails.verify(self.ground.pool, user, by_holder=True)
            token = await tokens.issue(
                self.ground.pool, PROJECT, kind=Kind.RECOVERY, email=body["email"], seconds=3_600, user_id=user.id,
                kid=key_derivation.current(ring), email_version=user.email_version,
            )  # fmt: skip
            secret, new = token_secrets.secret_of(ring, token), "another horse"
            made.append({"userId": user.id, "secret": secret, "password": new, "passwordAgain": new})
        return made


ACTS = (
    Act("POST recovery", "POST", "/v1/account/recovery", 0.5, Acts.strangers),
    Act("sign-up without hash", "POST", "/v1/account", 0.5, Acts.applicants),
    Act("sign-in without hash", "POST", "/v1/account/sessions/email", 0.6, Acts.owners),
    Act("PUT recovery without hash", "PUT", "/v1/account/recovery", 0.6, Acts.links),
)


async def measure(ground: Ground, *, rounds: int, requests: int, report: Callable[[str], None]) -> list[Row]:
    """Measure both sides; `requests` are those of each side in each turn."""
    acts, found = Acts(ground), []
    trips = await _round_trips(ground, acts)
    async with (
        api(ground, module="bench.unhashed", settings={"TRUSTED_HOPS": "1"}) as ours,
        run("bench.load", state=ground.state) as load,
        run("bench.bare_writes", state=ground.state, measured=True) as bare,
    ):
        size = ground.settings.database_connections
        answer = await bare.ask(database=ground.environment["DATABASE_URL"], size=size)
        targets: dict[Who, tuple[Program, int]] = {"ours": ours, "bare": (bare, int(answer["port"]))}
        for act in ACTS:

            async def take(who: Who, act: Act = act) -> Tally:
                program, port = targets[who]
                ready = await acts.requests(act, requests)
                await ground.pool.execute("analyze")
                used = program.cpu()
                done = await load.ask(port=port, requests=ready, connections=_CONNECTIONS, seconds=60, once=True)
                return Tally(done["count"], done["seconds"], program.cpu() - used)

            tallies = await interleave(take, rounds=rounds, slots=_TURNS, name=act.name, report=report)
            found += compared(act.name, tallies, unit="req/s", of_cost=act.goal, note=trips[act.name])
    return found


async def _round_trips(ground: Ground, acts: Acts) -> dict[str, str]:
    """Count what one request of each act asks of Postgres and Redis, over connections that know the statements."""
    postgres, redis = (urlsplit(ground.environment[name]) for name in ("DATABASE_URL", "REDIS_URL"))
    async with Proxy("127.0.0.1", postgres.port or 0) as to_postgres, Proxy("127.0.0.1", redis.port or 0) as to_redis:
        ways = {
            "DATABASE_URL": postgres.geturl().replace(f":{postgres.port}", f":{to_postgres.port}"),
            "REDIS_URL": redis.geturl().replace(f":{redis.port}", f":{to_redis.port}"),
            "DATABASE_CONNECTIONS": "1", "TRUSTED_HOPS": "1",
        }  # fmt: skip
        async with (
            api(ground, module="bench.unhashed", settings=ways) as (_, port),
            run("bench.load", state=ground.state) as load,
        ):
            found = {}
            for act in ACTS:
                counted = []
                for request in await acts.requests(act, 4):
                    before = to_postgres.counts["trips"], to_redis.counts["trips"]
                    await load.ask(port=port, requests=[request], connections=1, seconds=60, once=True)
                    after = to_postgres.counts["trips"], to_redis.counts["trips"]
                    counted.append([now - then for now, then in zip(after, before, strict=True)])
                asked = [min(column) for column in zip(*counted, strict=True)]
                found[act.name] = f"({asked[0]} round trips to Postgres, {asked[1]} to Redis)"
    return found
