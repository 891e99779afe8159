"""One crash a journey: the same walk through the service again and again, each time broken at another point (G3).

`raise` and `cancel` happen in this process, which runs the API and a worker on real servers; `exit` in a fork, which
a supervisor replaces. The clock is moved where a client would only wait: a postponed mail is due at once, and a lease
that nobody renews runs out in seconds.
"""

import asyncio
import io
import logging
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from aiohttp.test_utils import TestServer

from service import failpoints, json_logging
from service.app import make
from service.settings import WorkerSettings
from testkit.api import TABLES
from testkit.client import Client
from testkit.cluster import ALL_ENDED
from testkit.forks import Nursery, nursery
from testkit.history import History, known_to, message_of, read_postgres, read_redis
from testkit.invariants import breaches
from testkit.patience import PATIENCE
from testkit.postgres import session
from testkit.processes import api_ports
from testkit.sink import Sink
from testkit.waiting import until
from worker.main import run_worker

# A lease lasts 30 s and is renewed each 10 s: with less than 27 s left it has no live worker in a run without waits.
HASTEN = tuple(
    f"update {table} set due_at = now() - interval '5 s' where (state = 'pending' and due_at > now() - interval '1 s')"
    " or (state = 'sending' and due_at between now() and now() + interval '27 s')"
    for table in ("mails", "sms")
)
EXITED = 137
_KEPT = ("projects", "platforms", "api_keys")


async def journey(client: Client) -> None:
    """Everything that sends a mail or ends a session, each step repeated until it has a clear answer."""
    ann = await client.sign_up("ann")
    assert await client.sign_in(ann)
    assert await client.use_verification(ann, await client.verify(ann))
    await client.recover("nobody@example.com")
    assert await client.use_recovery(ann, await client.recover(ann.email, user=ann.user))
    assert await client.sign_in(ann)
    assert await client.change_password(ann)
    assert await client.change_email(ann, "ann.new@example.com")
    assert (await client.account(ann)).status == 200
    await client.sign_out(ann)
    assert await client.sign_in(ann)
    await client.delete(ann)


@dataclass
class Ground:
    """Ground of all rounds, and what is done there; `environment` are the settings of the service."""

    environment: dict[str, str]
    folder: Path
    sink: Sink
    connection: Any
    # Statements that move the clock where a client would only wait.
    hasten: ClassVar[tuple[str, ...]] = HASTEN

    @property
    def log(self) -> Path:
        return self.folder / "client.jsonl"

    def client(self, address: str) -> Client:
        return Client(address, self.log, self.sink, patience=PATIENCE)

    async def walk(self, client: Client) -> None:
        await journey(client)

    async def clear(self) -> None:
        """Leave nothing of the round before but the project, which the service remembers."""
        for table in TABLES:
            if table not in _KEPT:
                await self.connection.execute(f"delete from {table}")
        self.sink.mails.clear()
        self.log.unlink(missing_ok=True)

    async def history(self, client: Client) -> History:
        history = History(acts=client.acts, secrets=known_to(client.secrets))
        history.messages = [message_of(mail) for mail in self.sink.mails]
        await read_postgres(history, self.environment["DATABASE_URL"])
        await read_redis(history, self.environment["REDIS_URL"])
        return history


class Stage(ABC):
    """A service that can be broken at a point; `hit` are the traps that were met."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.address = ""
        self.hit: set[str] = set()

    @abstractmethod
    async def begin(self, trap: str) -> None:
        """Serve, with this trap set."""

    @abstractmethod
    async def mind(self) -> None:
        """Until cancelled: put back on its feet what the trap has ended."""

    @abstractmethod
    async def rest(self) -> None:
        """Take the trap away, and note whether it was met."""

    @abstractmethod
    def written(self) -> str:
        """Return the service's log."""

    async def round(self, trap: str) -> list[str]:
        """One journey with one trap: what is wrong afterwards, in words."""
        ground = self.ground
        await ground.clear()
        client = ground.client(self.address)
        started = time.monotonic()
        await self.begin(trap)
        minding = [asyncio.create_task(self.mind()), asyncio.create_task(_hasten(ground))]
        try:
            await ground.walk(client)
            await until(lambda: ground.connection.fetchval(ALL_ENDED), what="mails or events are left")
        except Exception as error:  # noqa: BLE001 - one round that fails must not hide the others
            return [f"{type(error).__name__}: {error}"[:300]]
        finally:
            for task in minding:
                task.cancel()
            await asyncio.gather(*minding, return_exceptions=True)
            await self.rest()
            await client.close()
        history = await ground.history(client)
        history.faults, history.places["the log"] = [(started, time.monotonic())], self.written()
        return breaches(history)


async def _hasten(ground: Ground) -> None:
    async with session(ground.environment["DATABASE_URL"]) as connection:
        while True:
            for statement in ground.hasten:
                await connection.execute(statement)
            await asyncio.sleep(0.1)


class Here(Stage):
    """API and worker in this process and loop."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.trap = ""
        self.working: asyncio.Task[None] | None = None
        self.log = io.StringIO()

    async def begin(self, trap: str) -> None:
        self.trap = trap
        if self.working is None:
            self.working = asyncio.create_task(run_worker(WorkerSettings.read()))
        failpoints.arm(trap)

    async def mind(self) -> None:
        """Cancel, as a stop does: the worker that meets it stops, and the next one takes over."""
        point, _, rest = self.trap.partition(":")
        action, _, nth = rest.partition(":")
        stopped = action != "cancel"
        while True:
            if not stopped and failpoints.reached(point) >= int(nth or 1):
                stopped = True
                await self.stop()
            if self.working is None or self.working.done():
                self.working = asyncio.create_task(run_worker(WorkerSettings.read()))
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """By SIGTERM, which the last worker that was started here has asked to hear of."""
        working, self.working = self.working, None
        if working is None:
            return
        if not working.done():
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait({working}, timeout=PATIENCE)
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    async def rest(self) -> None:
        if failpoints.reached(self.trap.partition(":")[0]):
            self.hit.add(self.trap)
        failpoints.disarm()

    def written(self) -> str:
        return self.log.getvalue()


@asynccontextmanager
async def here(ground: Ground) -> AsyncIterator[Here]:
    """Start the ground; its settings must be in the environment of this process."""
    stage = Here(ground)
    handler = logging.StreamHandler(stage.log)
    handler.setFormatter(json_logging.JsonLines())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)  # what production writes is searched for secrets
    logging.getLogger("arq").setLevel(logging.WARNING)
    server = TestServer(make(WorkerSettings.read()))
    await server.start_server()
    stage.address = f"http://127.0.0.1:{server.port}"
    try:
        yield stage
    finally:
        failpoints.disarm()
        await stage.stop()
        await server.close()
        root.removeHandler(handler)
        root.setLevel(level)


class There(Stage):
    """API and worker in a fork, which is replaced when it has ended."""

    def __init__(self, ground: Ground, forks: Nursery, log: Path) -> None:
        super().__init__(ground)
        ports = api_ports()
        self.forks, self.log = forks, log
        self.words = ground.environment | ports
        self.address = f"http://127.0.0.1:{ports['PORT']}"
        self.trap, self.pid = "", 0
        self.ending: asyncio.Task[int] | None = None
        self.bearing: asyncio.Task[None] | None = None

    async def begin(self, trap: str) -> None:
        self.trap = trap
        await self._bear(trap)

    async def _bear(self, trap: str) -> None:
        self.pid = await self.forks.bear(self.words | {"FAILPOINTS": trap})
        self.ending = asyncio.create_task(self.forks.end())

    async def mind(self) -> None:
        """Fork a new child whenever one ends, in a task that is never cancelled and that `rest` waits for."""
        while self.ending:
            await asyncio.wait({self.ending})
            if self.ending.result() == EXITED:
                self.hit.add(self.trap)
            self.bearing = asyncio.create_task(self._bear(""))
            await asyncio.wait({self.bearing})

    async def rest(self) -> None:
        if self.bearing:
            await self.bearing
        if self.ending:
            if not self.ending.done():
                os.kill(self.pid, signal.SIGKILL)
            await self.ending

    def written(self) -> str:
        return self.log.read_text(errors="replace")


@asynccontextmanager
async def there(ground: Ground) -> AsyncIterator[There]:
    log = ground.folder / "forks.log"
    async with nursery(log) as forks:
        yield There(ground, forks, log)
