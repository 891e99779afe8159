"""Ground of the bench: throw-away servers on free ports, one project, and members with live sessions."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import aiohttp

from bench.programs import Program, on_core, run, until
from devstack import servers
from service import ids
from service.clientinfo import user_agents
from service.crypto import key_derivation
from service.crypto.jwts import Jwts
from service.db import Pool
from service.http import session_cookies
from service.settings import Settings
from service.store import migrations, projects, sessions, users
from service.store.sessions import ClientInfo

PROJECT = "bench"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


@dataclass(frozen=True, slots=True)
class Member:
    """A user with a session: how a client shows it, and what the query then takes."""

    user_id: str
    email: str
    cookie: str
    jwt: str
    secret_hash: bytes
    session_id: str


@dataclass(frozen=True, slots=True)
class Ground:
    state: Path
    environment: dict[str, str]
    settings: Settings
    pool: Pool
    postgres: servers.Server


@asynccontextmanager
async def ground(state: Path) -> AsyncIterator[Ground]:
    """Start servers, schema and project; all of it ends with the block."""
    with on_core(measured=False):
        postgres = servers.start_postgres(state, throwaway=True)
        try:
            valkey = servers.start_valkey(state, throwaway=True)
        except BaseException:
            postgres.stop()
            raise
    try:
        environment = {
            "DATABASE_URL": servers.create_database(postgres, "bench"),
            "REDIS_URL": valkey.url,
            "SMTP_URL": "smtp://127.0.0.1:1?tls=none",
            "PUBLIC_URL": "http://localhost",
            "SECRET_KEYS": f"bench:{secrets.token_hex(32)}",
            "MAIL_FROM": "no-reply@accounts.example",
        }
        place = await set_up(state, environment, postgres)
        yield place
        await place.pool.close()
    finally:
        valkey.stop()
        postgres.stop()


async def set_up(state: Path, environment: dict[str, str], postgres: servers.Server) -> Ground:
    """Make schema and project in an empty database."""
    await migrations.migrate(environment["DATABASE_URL"])
    pool = Pool(environment["DATABASE_URL"], size=4, name="bench")
    await projects.create(pool, PROJECT, name="Bench")
    await projects.set_limit(pool, PROJECT, rule="mail.ip", numbers=[])  # one client stands for many
    await projects.add_platform(pool, PROJECT, hostname="localhost")
    settings = Settings.model_validate({name.lower(): value for name, value in environment.items()})
    return Ground(state, environment, settings, pool, postgres)


async def sign_up(ground: Ground, count: int, *, password_hash: str | None = None) -> list[Member]:
    """Insert members into the database, each with a session that lasts a day."""
    jwts, members = Jwts(ground.settings.key_ring), []
    place = ClientInfo("127.0.0.1", "--", user_agents.parse(AGENT))
    for number in range(count):
        email = f"member-{number}@example.com"
        user = await users.create(
            ground.pool, PROJECT, user_id=ids.new(), email=email, name=f"Member {number}",
            password_hash=password_hash,
        )  # fmt: skip
        session, secret = await sessions.open_session(
            ground.pool, user, provider="email", provider_uid=email, place=place, seconds=86_400
        )
        jwt = jwts.sign(PROJECT, user_id=user.id, session_id=session.id, seconds=3_600)
        cookie = f"a_session_{PROJECT}={session_cookies.encode(user.id, secret)}"
        members.append(Member(user.id, email, cookie, jwt, key_derivation.digest(secret), session.id))
    return members


@asynccontextmanager
async def api(
    ground: Ground, *, module: str = "service", settings: Mapping[str, str] = MappingProxyType({}), health: int = 0
) -> AsyncIterator[tuple[Program, int]]:
    """Start the real API process and yield its port once it is ready; its access log, on by default, goes to a file."""
    port, health = servers.free_port(), health or servers.free_port()
    ports = {"PORT": str(port), "HEALTH_PORT": str(health), "PUBLIC_URL": f"http://localhost:{port}"}
    async with (
        run(
            module, "serve", state=ground.state, environment=ground.environment | ports | dict(settings), measured=True
        ) as program,
        aiohttp.ClientSession() as client,
    ):

        async def ready() -> bool:
            try:
                async with client.get(f"http://127.0.0.1:{health}/ready") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(ready, program)
        yield program, port


@asynccontextmanager
async def worker(
    ground: Ground, *, smtp: int, name: str = "worker", measured: bool | None = True
) -> AsyncIterator[Program]:
    """Start one real worker process and wait for its first poll."""
    heartbeat = ground.state / f"{name}.alive"
    heartbeat.unlink(missing_ok=True)
    environment = ground.environment | {
        "SMTP_URL": f"smtp://127.0.0.1:{smtp}?tls=none",
        "WORKER_HEALTH_PORT": "0",
        "WORKER_HEARTBEAT": str(heartbeat),
    }
    async with run("worker", state=ground.state, environment=environment, measured=measured) as program:

        async def ready() -> bool:
            return await asyncio.to_thread(heartbeat.exists)

        await until(ready, program)
        yield program
