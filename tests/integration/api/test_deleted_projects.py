"""Requests that are under way while their project is deleted: the answer is that of an unknown project."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.db import Pool, transaction
from service.store import projects
from testkit.api import TABLES, Api
from testkit.waiting import until

ANN = {"email": "ann@example.com", "password": "correct horse"}
WAITS = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
WRITES = [
    ("legacy", "/v1/account", ANN),
    ("legacy", "/v1/account/recovery", {"email": "ann@example.com", "url": "http://localhost/"}),
    ("modern", "/v1/account", {"userId": "unique()"} | ANN),
    ("modern", "/v1/account/recovery", {"email": "ann@example.com", "url": "http://localhost/"}),
    ("modern", "/v1/account/tokens/email", {"userId": "unique()", "email": "ann@example.com"}),
    ("modern", "/v1/account/tokens/magic-url", {"userId": "unique()", "email": "ann@example.com"}),
]


@asynccontextmanager
async def being_deleted(pool: Pool) -> AsyncIterator[None]:
    """Hold the transaction that deletes the project until a request waits for it."""
    async with transaction(pool) as tx:
        for table in ("mails", "tokens", "users", "projects"):
            await tx.execute(f"delete from {table}")
        yield
        await until(lambda: pool.fetchrow(WAITS), what="the request waits for nothing")


async def left(pool: Pool) -> dict[str, int]:
    """Count the rows of each table but those of limits, and of acts, which name nobody and go within an hour."""
    counted = {table: (await pool.fetchrow(f"select count(*) from {table}"))[0] for table in TABLES}
    return {table: rows for table, rows in counted.items() if rows and not table.startswith(("window", "acts"))}


@pytest.mark.parametrize(("era", "path", "body"), WRITES)
async def test_what_was_about_to_be_written_is_refused(api: Api, pool: Pool, era: str, path: str, body: dict[str, Any]):
    """As for an id that never was; nothing of the request stays, and the process knows it from then on."""

    async def ask(project_id: str = "shop") -> tuple[int, Any]:
        headers = {"X-Appwrite-Project": project_id}
        answer = await api.call("POST", path, json=body, modern=era == "modern", headers=headers)
        return answer.status, answer.data

    unknown = await ask("none")
    assert unknown[1]["type"] == "project_not_found"
    async with being_deleted(pool):
        asking = asyncio.create_task(ask())
    assert await asking == unknown
    assert await left(pool) == {}
    assert await ask() == unknown


async def test_a_server_is_told_too(api: Api, pool: Pool):
    """A key is deleted with its project."""
    key = await projects.create_api_key(pool, "shop", key_id="k", name="k", scopes=["users.write"])
    headers = {"X-Appwrite-Key": key}
    async with being_deleted(pool):
        asking = asyncio.create_task(
            api.call("POST", "/v1/users", json={"userId": "bob"} | ANN, modern=True, headers=headers)
        )
    answer = await asking
    assert (answer.status, answer.data["type"]) == (404, "project_not_found")
    assert await left(pool) == {}


async def test_who_is_deleted_with_it_does_not_get_in(api: Api, pool: Pool):
    """Sign-in, and a member's request, find that the user is gone: no session is opened, and no error is ours."""
    await api.sign_up()
    cookie = await api.sign_in()
    async with being_deleted(pool):
        asking = [
            asyncio.create_task(api.call("POST", "/v1/account/sessions", json=ANN)),
            asyncio.create_task(
                api.call("POST", "/v1/account/verification", json={"url": "http://localhost/"}, headers=cookie)
            ),
        ]
        waiting = f"select 1 from ({WAITS}) waiting having count(*) = 2"
        await until(lambda: pool.fetchrow(waiting), what="the requests wait for nothing")
    assert {(await each).status for each in asking} == {401}
    assert {"users", "sessions", "tokens", "mails"} & (await left(pool)).keys() == set()
