"""The API while Postgres fails: every request is answered in time, truthfully, and nothing is half done (P3-P5).

Each test has a Postgres of its own, which the API reaches through a proxy.
"""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import DummyCookieJar

from service.app import make
from service.db import Pool
from service.http.readiness import Readiness
from service.settings import Settings
from service.store import migrations, projects
from testkit.api import Api, cookie_of
from testkit.patience import stretched
from testkit.postgres import PostgresServer, postgres_server, session, standby_of
from testkit.proxy import Proxy
from testkit.waiting import until

# The promise is 5 s; a second more for a machine that does other things besides.
IN_TIME = 6.0
_NUMBERS = itertools.count()


@dataclass
class Place:
    """`pool` reaches the server past the proxy."""

    server: PostgresServer
    proxy: Proxy
    pool: Pool
    settings: Settings
    api: Api

    async def ask(self, email: str = "") -> Any:
        """A recovery: the act with the most to lose. Each for another address, so that no limit is met."""
        return await ask(self.api, email)

    async def rows(self) -> tuple[int, int, int]:
        """Tokens, mails and events."""
        counts = "select (select count(*) from tokens), (select count(*) from mails), (select count(*) from events)"
        return tuple(await self.pool.fetchrow(counts))

    async def slow(self) -> None:
        """Connections at hand, but each word under way for a while."""
        await asyncio.gather(*(self.api.call("GET", "/v1/account") for _ in range(20)))
        self.proxy.change(latency=0.2)


async def ask(api: Api, email: str = "") -> Any:
    asked = {"email": email or f"user{next(_NUMBERS)}@example.com", "url": "http://localhost/reset"}
    return await answered(api.call("POST", "/v1/account/recovery", json=asked))


async def visit(api: Api) -> dict[str, str]:
    """A member's header, had without hashing, which takes its time on a busy machine."""
    opened = await api.call("POST", "/v1/account/sessions/anonymous")
    assert opened.status == 201, opened.data
    return {"Cookie": cookie_of(opened)}


async def answered(asking: Awaitable[Any]) -> Any:
    """The answer, which comes in time whatever happens: the route's success, or a 503 that says when to come again.

    Which of the two it is depends on where the request was when Postgres failed.
    """
    async with asyncio.timeout(stretched(IN_TIME)):
        answer = await asking
    assert answer.status != 503 or answer.headers["Retry-After"] == "1"
    assert answer.status in (200, 201, 503), answer.data
    return answer


Settle = Callable[[str, PostgresServer], Awaitable[Api]]


@pytest.fixture
async def settle(environment, redis, monkeypatch: pytest.MonkeyPatch, aiohttp_client) -> Settle:
    """The API on that address."""

    async def settle(url: str, server: PostgresServer) -> Api:
        await prepare(server)
        for name, value in (environment | {"DATABASE_URL": url}).items():
            monkeypatch.setenv(name, value)
        return Api(await aiohttp_client(make(Settings.read()), cookie_jar=DummyCookieJar()))

    return settle


async def prepare(server: PostgresServer) -> None:
    """The schema, and the project `shop`."""
    await migrations.migrate(server.url())
    pool = Pool(server.url(), size=1)
    await projects.create(pool, "shop", name="Shop")
    await projects.add_platform(pool, "shop", hostname="localhost")
    await pool.close()


@pytest.fixture
async def place(tmp_path: Path, settle: Settle) -> AsyncIterator[Place]:
    async with postgres_server(tmp_path) as server, Proxy("127.0.0.1", server.port) as proxy:
        api = await settle(server.url(port=proxy.port), server)
        pool = Pool(server.url(), size=1, name="test")
        yield Place(server, proxy, pool, Settings.read(), api)
        await pool.close()


async def test_f02_a_cut_inside_a_transaction_is_not_noticed(place: Place):
    """Nothing was committed: the act is run again, once in the database and once in the limits."""
    place.proxy.cut_at(b"from mail_token", arrives=True)
    answer = await place.ask()
    assert not place.proxy.cues
    assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (201, "99")
    assert await place.rows() == (1, 1, 1)


async def test_f02_who_is_cut_twice_is_told_to_come_again(place: Place):
    """The act is run again once; then it is up to the client, and nothing is left behind."""
    for _ in range(2):
        place.proxy.cut_at(b"from mail_token", arrives=True)
    assert (await place.ask()).status == 503
    assert await place.rows() == (0, 0, 0)
    assert (await place.ask()).status == 201
    assert await place.rows() == (1, 1, 1)


@pytest.mark.parametrize("how", ["immediate", "fast"])
async def test_f02_a_restart_under_load(place: Place, how: str):
    """Every request is answered, 201 means that it is there, and it all works again by itself."""
    accepted: list[str] = []
    going = True

    async def client(number: int) -> None:
        turn = 0
        while going:
            turn += 1
            email = f"c{number}.{turn}@example.com"
            answer = await place.ask(email)
            assert answer.status in (201, 503)
            if answer.status == 201:
                accepted.append(email)

    clients = [asyncio.create_task(client(number)) for number in range(5)]
    try:
        await until(lambda: len(accepted) > 20)
        await place.server.restart(how)
        await until(lambda: _accepted(place))
    finally:
        going = False
        await asyncio.gather(*clients)
    recipients = [row[0] for row in await place.pool.fetch("select recipient from mails")]
    assert len(recipients) == len(set(recipients)), "one mail a request"
    assert {*accepted} <= {*recipients}, "an accepted mail is there"
    assert (await place.rows())[0] == (await place.rows())[1] == (await place.rows())[2]


@pytest.mark.parametrize(
    ("word", "way", "arrives"),
    [
        (b"account.recovery.create", "up", True),
        (b"account.recovery.create", "up", False),
        (b"ann@example.com", "down", False),
    ],
)
async def test_f03_a_cut_during_an_act_is_answered_with_the_truth(place: Place, word: bytes, way, arrives: bool):
    """An act of one statement that is cut gives one answer, token and event and never a second mail, done or not."""
    place.proxy.cut_at(word, way=way, arrives=arrives)
    assert (await place.ask("ann@example.com")).status == 201
    assert not place.proxy.cues
    assert await place.rows() == (1, 1, 1)


async def test_f03_what_nobody_can_tell_is_not_done_twice(place: Place):
    """Postgres can't be asked either: 503, although it was done, and it was done once."""
    place.proxy.cut_at(b"ann@example.com", way="down", arrives=False)
    for _ in range(500):
        place.proxy.cut_at(b"undone", arrives=False)
    assert (await place.ask("ann@example.com")).status == 503
    assert await place.rows() == (1, 1, 1)


async def test_f03_a_session_opened_by_a_cut_commit_is_handed_over(place: Place):
    """The login of which only the word "done" was lost is a login: its cookie works."""
    place.proxy.cut_at(b"COMMIT", way="down", arrives=False)
    member = await visit(place.api)
    assert not place.proxy.cues
    assert (await place.api.call("GET", "/v1/account", headers=member)).status == 200
    assert (await place.pool.fetchrow("select count(*) from sessions"))[0] == 1


async def test_f04_a_server_that_turns_read_only_is_left(place: Place):
    """503 for reads too: a former primary would know of sessions that have been closed since."""
    member = await visit(place.api)
    await place.server.turn_read_only()
    await until(lambda: _refused(place))  # a session hears of it between two statements
    assert (await answered(place.api.call("GET", "/v1/account", headers=member))).status == 503
    await place.server.configure(default_transaction_read_only=None)
    await until(lambda: _accepted(place))
    assert (await answered(place.api.call("GET", "/v1/account", headers=member))).status == 200


async def _refused(place: Place) -> bool:
    return (await place.ask()).status == 503


async def _accepted(place: Place) -> bool:
    return (await place.ask()).status == 201


@asynccontextmanager
async def pair(tmp_path: Path) -> AsyncIterator[tuple[PostgresServer, PostgresServer, str]]:
    """A primary, its standby, and the address that lists both."""
    async with postgres_server(tmp_path / "a") as old:
        await old.run("select 1")
        async with standby_of(old, tmp_path / "b") as new:
            yield old, new, old.url().replace(f"127.0.0.1:{old.port}", f"127.0.0.1:{old.port},127.0.0.1:{new.port}")


@pytest.mark.parametrize("fate", ["gone", "hung", "read-only"])
async def test_f04_the_new_primary_is_found(tmp_path: Path, settle: Settle, fate: str):
    """Whatever has become of the old one, writes are taken within 5 s of the switch, without a restart of ours."""
    async with pair(tmp_path) as (old, new, url):
        api = await settle(url, old)
        member = await visit(api)
        await new.caught_up(old)
        if fate == "read-only":
            await old.turn_read_only()
        elif fate == "gone":
            await old.stop("kill")
        else:
            old.pause()
        await new.promote()
        await until(lambda: _renames(api, member))
        assert await new.run("select name from users") == "Ann"


async def _renames(api: Api, member: dict[str, str]) -> bool:
    asking = api.call("PATCH", "/v1/account/name", json={"name": "Ann"}, headers=member)
    return (await answered(asking)).status == 200


@pytest.mark.parametrize("fault", ["hung", "black hole"])
async def test_f06_a_postgres_that_hangs(place: Place, fault: str):
    """Nobody hangs with it: readers and writers are answered, and soon after it goes on all is well."""
    member = await visit(place.api)
    paused = place.server.pause() if fault == "hung" else place.proxy.change(black_hole=True) or []
    asked = [place.api.call("GET", "/v1/account", headers=member) for _ in range(15)]
    found = await asyncio.gather(*(answered(asking) for asking in asked), *(place.ask() for _ in range(5)))
    assert {answer.status for answer in found} == {503}
    place.server.resume(paused)
    place.proxy.change(black_hole=False)
    await until(lambda: _accepted(place))
    assert (await answered(place.api.call("GET", "/v1/account", headers=member))).status == 200


async def test_f06_one_backend_that_hangs_holds_up_nobody_else(place: Place):
    """Its own request is given up in time, the others don't notice."""
    await place.ask()
    backends = await place.pool.fetch("select pid from pg_stat_activity where application_name = 'accounts-api'")
    assert len(backends) == 1
    hang = [backends[0][0]]
    os.kill(hang[0], signal.SIGSTOP)
    try:
        found = await asyncio.gather(*(place.ask(f"a{number}@example.com") for number in range(5)))
    finally:
        place.server.resume(hang)
    assert sorted(answer.status for answer in found) == [201, 201, 201, 201, 503]


async def test_f07_a_slow_postgres_sheds_load(place: Place):
    """More than it can answer is told at once to come again; there is no pile that outlives the fault."""
    for rule in ("create_recovery.ip", "mail.ip"):  # all come from one network
        await projects.set_limit(place.pool, "shop", rule=rule, numbers=[])
    await place.slow()
    found = await asyncio.gather(*(place.ask(f"a{number}@example.com") for number in range(150)))
    statuses = {answer.status for answer in found}
    assert 503 in statuses
    assert statuses <= {201, 503}
    place.proxy.change(latency=0.0)
    assert (await place.ask("z@example.com")).status == 201


async def test_f08_no_connection_left(tmp_path: Path, settle: Settle):
    """503 in about a second; the health port, which has its own connection, goes on; later all is well."""
    async with postgres_server(tmp_path, max_connections="4", superuser_reserved_connections="0") as server:
        api = await settle(server.url(), server)
        readiness = Readiness(Settings.read())
        await until(lambda: _ready(readiness))
        async with session(server.url()), session(server.url()), session(server.url()):
            assert (await ask(api)).status == 503
            assert await readiness.check() == ""
        await until(lambda: _recovers(api))
        await readiness.close()


async def _ready(readiness: Readiness) -> bool:
    return await readiness.check() == ""


async def _recovers(api: Api) -> bool:
    return (await ask(api)).status == 201


async def fail(place: Place, state: str, *, times: int) -> None:
    """The next so many events can't be recorded: Postgres answers with that state."""
    await place.pool.execute("create sequence failures")
    await place.pool.execute(
        f"""
        create function fail() returns trigger language plpgsql as $$ begin
            if nextval('failures') <= {times} then raise exception 'x' using errcode = '{state}'; end if;
            return new;
        end $$
        """
    )
    await place.pool.execute("create trigger fail before insert on events for each row execute function fail()")


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_f10_a_clash_is_settled_by_another_try(place: Place, state: str):
    """Three more, with a pause that chance makes, so that two that clash don't meet again."""
    await fail(place, state, times=3)
    assert (await place.ask()).status == 201
    assert await place.rows() == (1, 1, 1)


@pytest.mark.parametrize(("state", "runs"), [("40P01", 4), ("53100", 1), ("53200", 1), ("25006", 2)])
async def test_f09_f10_what_does_not_pass_is_503_and_leaves_nothing(place: Place, state: str, runs: int):
    """A full disk is no reason to try again, a clash only so often; reads go on."""
    member = await visit(place.api)
    before = await place.rows()
    await fail(place, state, times=100)
    assert (await place.ask()).status == 503
    assert await place.rows() == before
    assert (await place.pool.fetchrow("select last_value from failures"))[0] == runs
    assert (await place.api.call("GET", "/v1/account", headers=member)).status == 200
    await place.pool.execute("drop trigger fail on events")
    assert (await place.ask()).status == 201


async def test_f11_a_locked_table_is_waited_for_a_second(place: Place):
    """503 for who needs it, no trace for who does not, and no queue behind the lock afterwards."""
    async with session(place.server.url()) as locker:
        await locker.execute("begin")
        await locker.execute("lock table sessions in access exclusive mode")
        logins = [place.api.call("POST", "/v1/account/sessions/anonymous") for _ in range(3)]
        found = await asyncio.gather(*(answered(login) for login in logins), place.ask())
        assert [answer.status for answer in found] == [503, 503, 503, 201]
        await locker.execute("rollback")
    await visit(place.api)


async def test_a_fault_after_a_counted_guess_is_not_run_again(place: Place):
    """The guess is committed by itself before the act: another run would count it twice."""
    token = (await place.ask()).data
    body = {"userId": token["userId"], "secret": "0" * 256, "password": "new horse", "passwordAgain": "new horse"}
    token_id = (await place.pool.fetchrow("select id from tokens"))[0]
    body["secret"] = token_id + "0" * 236
    place.proxy.cut_at(b"from count_attempt", way="up", arrives=True)
    answer = await answered(place.api.call("PUT", "/v1/account/recovery", json=body))
    assert answer.status == 503
    assert (await place.pool.fetchrow("select attempts from tokens"))[0] <= 1
