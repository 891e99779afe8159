"""Round trips to Postgres of the acts that write: each one is waited for, and costs more than what it carries."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from urllib.parse import urlsplit

import pytest
from aiohttp import DummyCookieJar

from service.app import make
from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.projects import Project
from service.store.tokens import Kind
from testkit.api import Api
from testkit.proofs import Post
from testkit.proxy import Proxy

pytestmark = pytest.mark.usefixtures("cheap", "redis")
PASSWORD = "correct horse"


@pytest.fixture
async def line(database: str) -> AsyncIterator[Proxy]:
    """The way to Postgres, on which round trips are counted."""
    async with Proxy("127.0.0.1", urlsplit(database).port or 0) as proxy:
        yield proxy


@pytest.fixture
async def measured(
    aiohttp_client, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, project: Project, line: Proxy
) -> Api:
    """The service with limits on, and one connection: each statement is prepared by its first use."""
    place = urlsplit(environment["DATABASE_URL"])
    far = place._replace(netloc=place.netloc.replace(f":{place.port}", f":{line.port}")).geturl()
    for name, value in (environment | {"DATABASE_URL": far, "DATABASE_CONNECTIONS": "1"}).items():
        monkeypatch.setenv(name, value)
    return Api(await aiohttp_client(make(Settings.read()), cookie_jar=DummyCookieJar()))


@pytest.fixture
def trips(line: Proxy) -> Callable[[Callable[[], Awaitable[None]]], Awaitable[int]]:
    async def least(act: Callable[[], Awaitable[None]]) -> int:
        """The fewest of three acts: one may meet a cache that has just expired."""
        await act()
        found = []
        for _ in range(3):
            before = line.counts["trips"]
            await act()
            found.append(line.counts["trips"] - before)
        return min(found)

    return least


async def call(api: Api, status: int, method: str, path: str, **kwargs: object) -> None:
    answer = await api.call(method, path, **kwargs)
    assert answer.status == status, answer.data


async def test_round_trips_of_acts(measured: Api, pool: Pool, settings: Settings, trips):
    """An act takes no more round trips than it needs: what can be one statement is one."""
    api, post, numbers = measured, Post(pool, settings), count()
    await projects.change(pool, "shop", notify_new_device=True)  # which concerns proved addresses alone

    async def sign_up() -> str:
        email = f"user-{next(numbers)}@example.com"
        body = {"email": email, "password": PASSWORD}
        await call(api, 201, "POST", "/v1/account", json=body)
        return email

    async def sign_in() -> None:
        await call(api, 201, "POST", "/v1/account/sessions/email", json={"email": email, "password": PASSWORD})

    async def recover() -> None:
        body = {"email": f"user-{next(numbers)}@example.com", "url": "http://localhost/reset"}
        await call(api, 201, "POST", "/v1/account/recovery", json=body)

    async def verify() -> None:
        await call(api, 201, "POST", "/v1/account/verification", json={"url": "http://localhost/"}, headers=member)

    proofs = [await _proof(pool, post, number) for number in range(4)]

    async def finish_recovery() -> None:
        await call(api, 200, "PUT", "/v1/account/recovery", json=proofs.pop())

    async def ask_for_a_link() -> None:
        body = {"userId": "unique()", "email": f"user-{next(numbers)}@example.com"}
        await call(api, 201, "POST", "/v1/account/tokens/magic-url", json=body, modern=True)

    links = [await _proof(pool, post, number, Kind.MAGIC_URL) for number in range(4, 8)]

    async def sign_in_by_a_link() -> None:
        body = {name: value for name, value in links.pop().items() if name in ("userId", "secret")}
        await call(api, 201, "PUT", "/v1/account/sessions/magic-url", json=body)

    found = {"sign-up": await trips(sign_up)}
    email = await sign_up()
    found |= {"sign-in": await trips(sign_in), "recovery": await trips(recover)}
    member = await api.sign_in(email, PASSWORD)
    found |= {"verification": await trips(verify), "PUT recovery": await trips(finish_recovery)}
    found |= {"link": await trips(ask_for_a_link), "sign-in by a link": await trips(sign_in_by_a_link)}
    await pool.execute("update users set email_verified = true where email = $1", email)
    found |= {"sign-in with a notice": await trips(sign_in)}
    assert found == {
        "sign-up": 2, "sign-in": 3, "recovery": 1, "verification": 2, "PUT recovery": 4, "link": 1,
        "sign-in by a link": 9, "sign-in with a notice": 4,
    }  # fmt: skip


async def _proof(pool: Pool, post: Post, number: int, kind: Kind = Kind.RECOVERY) -> dict[str, str]:
    """A user, and the body that uses a link that was mailed to that user."""
    email, user_id = f"owner-{number}@example.com", f"owner-{number}"
    await pool.execute(
        "insert into users (project_id, id, email, email_verified, password_hash, password_updated_at)"
        f" values ('shop', '{user_id}', '{email}', true, '', now())"
    )
    return (await post.issue(kind, user_id, email=email)).body
