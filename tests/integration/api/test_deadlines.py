"""A request's time: one deadline for all that it waits for, from its last byte on, hashes included."""

import asyncio
from dataclasses import dataclass
from typing import Any

import bcrypt
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from service import deadlines, failpoints
from service.db import Pool, transaction
from service.deadlines import GRACE, Deadline
from service.http import request_timeout as requests
from service.http.middleware import SERVICES
from service.http.request_timeout import begin
from testkit.api import Api
from testkit.patience import stretched

LOGIN = {"email": "ann@example.com", "password": "correct horse"}
INSERT = "insert into projects (id, name) values ('late', '')"


@dataclass
class Connection:
    """The part of a connection that a deadline reads: when the bytes came."""

    arrived: float = 0.0


@dataclass
class Asked:
    """All that a deadline looks at of a request."""

    content: Any
    protocol: Connection


async def hang(content: Any, *, waited: float = 0.0) -> float:
    """A handler that never ends: after how many seconds its deadline ended it."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    connection = Connection(began - waited if waited else 0.0)
    deadline = begin(Asked(content, connection))
    assert connection.arrived == 0.0, "the next request has a time of its own"
    try:
        await loop.create_future()
    except asyncio.CancelledError:
        assert deadline.is_ours()
    finally:
        deadline.end()
    return loop.time() - began


async def test_nothing_takes_longer_than_promised():
    """4.5 s for the answer, more only for a body that comes late; what a busy process was late by counts."""
    loop = asyncio.get_running_loop()
    late = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    loop.call_later(1, late.feed_eof)
    plain, waited, slow = await asyncio.gather(
        hang(EMPTY_PAYLOAD), hang(EMPTY_PAYLOAD, waited=3.0), hang(late, waited=0.1)
    )
    assert plain >= 4.5
    assert 1.5 <= waited < plain
    assert slow >= 5.5
    assert max(plain, slow) < stretched(9)


async def test_the_seconds_are_those_promised():
    """4.5 s after the last byte, whenever it comes; 16.5 s in all for a body that never ends."""
    loop = asyncio.get_running_loop()
    body = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    for content, seconds in ((EMPTY_PAYLOAD, 4.5), (body, 16.5)):
        before = loop.time()
        deadline = begin(Asked(content, Connection()))
        assert before + seconds <= deadline.until <= loop.time() + seconds
        deadline.end()
    deadline = begin(Asked(body, Connection()))
    before = loop.time()
    body.feed_eof()
    assert before + 4.5 <= deadline.until <= loop.time() + 4.5
    deadline.end()


async def test_who_is_cancelled_by_somebody_else_is_cancelled():
    """A process that stops ends its requests, and no deadline makes answers of that."""
    task = asyncio.create_task(hang(EMPTY_PAYLOAD))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(AssertionError):
        await task


async def test_what_waits_sees_the_time_that_is_left():
    """Without a request there is no end; with one it is the same for all that runs on its behalf."""
    loop = asyncio.get_running_loop()
    assert deadlines.seconds_left() == float("inf")
    deadline = Deadline(loop.time() + 60, loop)
    assert 50 < await asyncio.create_task(_left()) <= 60
    deadline.move(loop.time() + 600)
    assert 500 < deadlines.seconds_left() <= 600
    deadline.end()
    deadline.move(loop.time())
    assert deadlines.seconds_left() == float("inf")


async def _left() -> float:
    return deadlines.seconds_left()


async def test_a_commit_under_way_is_not_torn(pool: Pool):
    """The answer is out in time; the COMMIT goes on without it, and its connection is used again."""
    failpoints.arm("db.commit.before:sleep=3")
    try:
        with pytest.raises(TimeoutError):
            await asyncio.create_task(_commit_late(pool))
        assert len(pool._idle) < pool._open, "nobody else gets the connection"
        while len(pool._idle) < pool._open:  # noqa: ASYNC110 - a pool can't be awaited
            await asyncio.sleep(0.01)
    finally:
        failpoints.disarm()
    assert pool._open == 1
    assert (await pool.fetchrow("select count(*) from projects where id = 'late'"))[0] == 1


async def _commit_late(pool: Pool) -> None:
    """Raises TimeoutError where the deadline came first."""
    loop = asyncio.get_running_loop()
    deadline = Deadline(loop.time() + 60, loop)
    try:
        async with transaction(pool) as tx:
            await tx.execute("set local lock_timeout = '50s'")  # of a test before, a backend may not have ended yet
            await tx.execute(INSERT)
            deadline.end()
            deadline = Deadline(loop.time() + 0.5, loop)  # begun here, so that a busy machine spends none of it before
    except asyncio.CancelledError:
        assert deadline.is_ours()
        assert loop.time() >= deadline.until + GRACE, "a COMMIT has a moment more"
        raise TimeoutError from None
    finally:
        deadline.end()


async def test_before_the_commit_nothing_is_kept(pool: Pool):
    """A deadline that passes in the middle of a transaction leaves nothing of it behind."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        deadline = Deadline(loop.time() + 0.3, loop)
        try:
            async with transaction(pool) as tx:
                await tx.execute(INSERT)
                await tx.execute("select pg_sleep(2)")
        finally:
            assert deadline.is_ours()
            deadline.end()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())
    assert (await pool.fetchrow("select count(*) from projects where id = 'late'"))[0] == 0


async def test_hashes_count(api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch):
    """A sign-in whose hash takes longer than a request may take is 503 with Retry-After, and no session is opened."""
    await api.sign_up()
    costly = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(14)).decode()
    await pool.execute("update users set password_hash = $1", costly)
    monkeypatch.setattr(requests, "ANSWER", 0.5)
    answer = await api.call("POST", "/v1/account/sessions", json=LOGIN)
    assert (answer.status, answer.data["type"]) == (503, "general_server_error")
    assert int(answer.headers["Retry-After"]) >= 1
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0


async def test_a_right_password_is_not_refused_for_a_hash_of_tomorrow(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    """A sign-in without time to replace an outdated hash succeeds; the next one replaces the hash."""
    await api.sign_up()
    old = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    await pool.execute("update users set password_hash = $1", old)
    passwords = api.client.app[SERVICES].passwords
    verify = passwords.verify

    async def verify_and_be_flooded(*asked: Any) -> bool:
        found = await verify(*asked)
        passwords.waiting = 1000  # so many came meanwhile
        return bool(found)

    monkeypatch.setattr(passwords, "verify", verify_and_be_flooded)
    assert (await api.call("POST", "/v1/account/sessions", json=LOGIN)).status == 201
    assert (await pool.fetchrow("select password_hash from users"))[0] == old
    monkeypatch.setattr(passwords, "verify", verify)
    passwords.waiting = 0
    assert (await api.call("POST", "/v1/account/sessions", json=LOGIN)).status == 201
    assert (await pool.fetchrow("select password_hash from users"))[0].startswith("$argon2id$")
