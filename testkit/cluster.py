"""The whole service as in production, each part a process of its own that can be killed, behind chaos proxies.

async with start_cluster(tmp_path, apis=2, workers=2) as cluster:
    client = cluster.client()
    await client.sign_up("ann")
    await cluster.workers[0].kill()
    await cluster.postgres.restart()
    ...
    assert not breaches(await gather(cluster))
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from service.db import Pool
from service.store import migrations, projects
from testkit import processes
from testkit.client import OLD, Client
from testkit.patience import PATIENCE
from testkit.postgres import PostgresServer, postgres_server, standby_of
from testkit.processes import Process
from testkit.proxy import Proxy
from testkit.sink import Sink
from testkit.valkey import Store, store
from testkit.waiting import until

DATABASE = "accounts"
# Tells whether no mail or SMS is pending or being sent, every event is filed, and no webhook is owed any.
ALL_ENDED = (
    "select (select count(*) from mails where state in ('pending', 'sending'))"
    " + (select count(*) from sms where state in ('pending', 'sending'))"
    " + (select count(*) from webhook_deliveries where state = 'pending')"
    " + (select count(*) from events where ready) = 0"
)

# All clients of the kit have one address.
_BY_NETWORK = (
    "mail.ip", "create_session.ip", "create_session.network", "create_recovery.ip", "create_magic_url.ip",
    "create_email_token.ip",
)  # fmt: skip


@dataclass
class ManagedProcess:
    """One process, started again and again under the same name and port; `written` is what all of them said.

    `root` is the tree that its program is of: another release's, if that is to run beside this one.
    """

    words: tuple[str, ...]
    environment: dict[str, str]
    heartbeat: Path | None = None
    process: Process | None = None
    past: list[Process] = field(default_factory=list)
    root: Path = processes.ROOT

    @property
    def address(self) -> str:
        """Of an API."""
        return f"http://127.0.0.1:{self.environment['PORT']}"

    @property
    def health(self) -> str:
        return f"http://127.0.0.1:{self.environment['HEALTH_PORT']}"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.running

    @property
    def pid(self) -> int:
        return self.process.process.pid if self.process else 0

    @property
    def written(self) -> list[str]:
        return [line for process in self.past for line in process.lines]

    async def launch(self, **more: str) -> Process:
        """Start without waiting until it is ready; `more` are settings for this run, FAILPOINTS among them."""
        assert not self.running, "it is running already"
        if self.heartbeat:
            self.heartbeat.unlink(missing_ok=True)
        self.process = await processes.start(*self.words, environment=self.environment | more, root=self.root)
        self.past.append(self.process)
        return self.process

    async def start(self, **more: str) -> None:
        """Start, and wait until it is ready (an API) or has made its first round (a worker)."""
        running = await self.launch(**more)
        if self.heartbeat:
            await processes.until_beating(running, self.heartbeat)
        else:
            await processes.until_ready(running, f"{self.health}/ready")

    def send(self, number: signal.Signals) -> None:
        if self.process:
            self.process.send(number)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """In order, or by SIGKILL; its exit code once it has ended."""
        return await self.process.end(number) if self.process else 0

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)

    def pause(self) -> None:
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    async def gone(self, *, seconds: float = PATIENCE) -> int:
        """Wait for an end that a failpoint brings; the exit code."""
        assert self.process
        return await asyncio.wait_for(self.process.process.wait(), seconds)


@dataclass
class Cluster:
    """`db`, `redis` and `smtp` are the proxies; `faults` are (from, to) in time.monotonic() seconds.

    `standby` follows `postgres`, if there is one, and `db2` is the proxy before it.
    """

    folder: Path
    postgres: PostgresServer
    valkey: Store
    sink: Sink
    db: Proxy
    redis: Proxy
    smtp: Proxy
    apis: list[ManagedProcess]
    workers: list[ManagedProcess]
    log: Path
    standby: PostgresServer | None = None
    db2: Proxy | None = None
    clients: list[Client] = field(default_factory=list)
    faults: list[tuple[float, float]] = field(default_factory=list)

    @property
    def processes(self) -> list[ManagedProcess]:
        return [*self.apis, *self.workers]

    def client(self, number: int = 0) -> Client:
        """Make a client of that API; all clients write one log."""
        client = Client(self.apis[number % len(self.apis)].address, self.log, self.sink)
        self.clients.append(client)
        return client

    def add_worker(self, name: str, **settings: str) -> ManagedProcess:
        """One more worker, which is not started yet and ends with the cluster."""
        self.workers.append(_worker(_environment(self) | settings, self.folder / name))
        return self.workers[-1]

    @contextmanager
    def fault(self):
        """Record the time of a fault, in which answers may be 5xx."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.faults.append((started, time.monotonic()))

    async def all_ended(self, *, seconds: float = PATIENCE) -> None:
        """Wait until no mail or SMS is pending or being sent, every event is filed, and no webhook is owed any."""
        await until(self._asks(ALL_ENDED), seconds=seconds, what="mails, SMS or events are left")

    def _asks(self, statement: str):
        return lambda: self.postgres.run(statement, database=DATABASE)

    async def switch(self) -> None:
        """Promote the standby, whatever has become of the primary; `postgres` and `standby` change names."""
        assert self.standby
        await self.standby.promote()
        self.postgres, self.standby = self.standby, self.postgres

    async def keep_in_step(self) -> None:
        """From now on a commit is acknowledged when the standby has it."""
        await self.postgres.configure(synchronous_standby_names="*")
        streams = "select count(*) = 1 from pg_stat_replication where sync_state = 'sync'"
        await until(lambda: self.postgres.run(streams), what="no standby is in step")


@asynccontextmanager
async def start_cluster(
    folder: Path, *, apis: int = 1, workers: int = 1, standby: bool = False, **settings: str
) -> AsyncIterator[Cluster]:
    """All of it, ready, with the project `shop`; `settings` are variables of every process, LIMITS is off.

    With a standby, processes are given the addresses of both servers.
    """
    async with AsyncExitStack() as stack:
        cluster = await _ground(stack, folder)
        if standby:
            await _beside(stack, cluster)
        environment = _environment(cluster) | settings
        cluster.apis += [_api(environment) for _ in range(apis)]
        cluster.workers += [_worker(environment, folder / f"worker-{number}") for number in range(workers)]
        stack.push_async_callback(_close, cluster)
        await asyncio.gather(*(process.start() for process in cluster.processes))
        yield cluster


async def _ground(stack: AsyncExitStack, folder: Path) -> Cluster:
    """Start the servers and their proxies, with schema and project."""
    postgres = await stack.enter_async_context(postgres_server(folder / "postgres"))
    valkey = await stack.enter_async_context(store(folder / "redis"))
    sink = await stack.enter_async_context(Sink())
    db, redis, smtp = [
        await stack.enter_async_context(Proxy("127.0.0.1", port)) for port in (postgres.port, valkey.port, sink.port)
    ]
    await postgres.run(f"create database {DATABASE}")
    await migrations.migrate(postgres.url(DATABASE))
    pool = Pool(postgres.url(DATABASE), size=1, name="test")
    await projects.create(pool, "shop", name="Shop")
    await projects.add_platform(pool, "shop", hostname="localhost")
    for rule in _BY_NETWORK:
        await projects.set_limit(pool, "shop", rule=rule, numbers=[])
    await pool.close()
    return Cluster(folder, postgres, valkey, sink, db, redis, smtp, [], [], folder / "client.jsonl")


async def _beside(stack: AsyncExitStack, cluster: Cluster) -> None:
    """Start a standby that streams from the primary, and its proxy."""
    cluster.standby = await stack.enter_async_context(standby_of(cluster.postgres, cluster.folder / "standby"))
    cluster.db2 = await stack.enter_async_context(Proxy("127.0.0.1", cluster.standby.port))


def _environment(cluster: Cluster) -> dict[str, str]:
    address = cluster.postgres.url(DATABASE, port=cluster.db.port)
    if cluster.db2:
        address = address.replace(f":{cluster.db.port}/", f":{cluster.db.port},127.0.0.1:{cluster.db2.port}/")
    return {
        "DATABASE_URL": address,
        "REDIS_URL": cluster.valkey.url(port=cluster.redis.port),
        "SMTP_URL": f"smtp://127.0.0.1:{cluster.smtp.port}?tls=none",
        "PUBLIC_URL": "http://localhost:8080",
        "SECRET_KEYS": OLD,
        "MAIL_FROM": "no-reply@accounts.test",
        "LIMITS": "off",
        "WORKER_HEALTH_PORT": "0",
    }


def _api(environment: dict[str, str]) -> ManagedProcess:
    ports = processes.api_ports()
    return ManagedProcess(("service", "serve"), environment | ports | {"PUBLIC_URL": environment["PUBLIC_URL"]})


def _worker(environment: dict[str, str], state: Path) -> ManagedProcess:
    """Its name and its folder stay, so that what it held when it was killed is its own again at once.

    With BOUNCE_ADDRESS it listens for bounces at a port of its own.
    """
    state.mkdir()
    own = {"WORKER_ID": state.name, "WORKER_STATE": str(state), "WORKER_HEARTBEAT": str(state / "alive")}
    if "BOUNCE_ADDRESS" in environment:
        own["BOUNCE_LMTP_PORT"] = str(processes.lasting_port())
    return ManagedProcess(("worker",), environment | own, state / "alive")


async def _close(cluster: Cluster) -> None:
    for client in cluster.clients:
        await client.close()
    for process in cluster.processes:
        process.resume()
    await asyncio.gather(*(process.kill() for process in cluster.processes))
