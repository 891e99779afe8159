"""Nobody can find out who has an account."""

import asyncio

import pytest

from service.app import make
from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import Settings
from service.store import projects
from testkit.api import Api
from testkit.patience import PATIENCE

PEOPLE = {
    "unknown": "nobody@example.com",
    "known": "ann@example.com",
    "blocked": "bob@example.com",
    "unverified": "eve@example.com",
}
TABLES = ("users", "sessions", "tokens", "mails", "events", "logs")


@pytest.fixture
async def people(api: Api, pool: Pool) -> dict[str, str]:
    """A verified, a blocked and an unverified account, and an address that is nobody's."""
    for name in ("known", "blocked", "unverified"):
        await api.sign_up(PEOPLE[name])
    await pool.execute("update users set status = 'active', email_verified = true where email = $1", PEOPLE["known"])
    await pool.execute("update users set status = 'blocked' where email = $1", PEOPLE["blocked"])
    return PEOPLE


async def rows(pool: Pool) -> dict[str, int]:
    return {table: (await pool.fetchrow(f"select count(*) from {table}"))[0] for table in TABLES}


async def ask(api: Api, email: str, *, modern: bool = False):
    body = {"email": email, "url": "http://localhost/reset"}
    return await api.call("POST", "/v1/account/recovery", json=body, modern=modern)


@pytest.mark.parametrize("modern", [False, True])
async def test_recovery_answers_everyone_alike(api: Api, people: dict[str, str], modern: bool):
    """Status, header names and their order, the body's keys and the form of each value: one and the same."""
    shapes = {}
    for name, email in people.items():
        answer = await ask(api, email, modern=modern)
        body = [(key, type(value), len(str(value))) for key, value in answer.data.items()]
        shapes[name] = (answer.status, list(answer.headers), body)
    assert shapes["known"][0] == 201
    assert len({repr(shape) for shape in shapes.values()}) == 1, shapes


async def test_recovery_writes_the_same_for_everyone(api: Api, pool: Pool, people: dict[str, str]):
    """A token, a mail and an event each, alike in all that does not name the address itself."""
    written = {}
    for name, email in people.items():
        before = await rows(pool)
        await ask(api, email)
        after = await rows(pool)
        mail = await pool.fetchrow(
            "select state, user_id, letter, locale, facts from mails where recipient = $1", email
        )
        token = await pool.fetchrow("select kind, user_id, email_version, kid from tokens where email = $1", email)
        written[name] = ({table: after[table] - before[table] for table in TABLES}, tuple(mail), tuple(token))
    assert written["known"][0] == {"users": 0, "sessions": 0, "tokens": 1, "mails": 1, "events": 1, "logs": 0}
    assert len({repr(one) for one in written.values()}) == 1, written


async def test_recovery_asks_postgres_the_same_for_everyone(aiohttp_client, people: dict[str, str], settings: Settings):
    """The same statements in the same order: there is nothing that could take longer for somebody."""
    app = make(settings)
    api = Api(await aiohttp_client(app))
    pool = app[SERVICES].pool
    await ask(api, "warm@example.com")
    (connection,) = pool._idle
    asked: list[str] = []
    connection.add_query_logger(lambda record: asked.append(record.query))
    statements = {}
    for name, email in people.items():
        asked.clear()
        await ask(api, email)
        await asyncio.sleep(0)  # loggers are called in the loop's next round
        statements[name] = [query for query in asked if "from projects" not in query]
    assert len(statements["known"]) == 1  # its limits, its quota and the act
    assert len({tuple(queries) for queries in statements.values()}) == 1, statements


async def test_the_user_id_is_never_the_real_one(api: Api, pool: Pool, people: dict[str, str]):
    """Whoever asks gets an invented user id, a new one each time."""
    real = {row[0] for row in await pool.fetch("select id from users")}
    given = [(await ask(api, email)).data["userId"] for email in [*people.values()] * 2]
    assert len(set(given)) == 8
    assert not real & set(given)


@pytest.mark.parametrize("modern", [False, True])
async def test_signing_in_tells_nothing(api: Api, pool: Pool, people: dict[str, str], modern: bool):
    """Unknown, wrong password, no password at all, blocked with a wrong password: one 401."""
    await pool.execute("update users set password_hash = null where email = $1", people["unverified"])
    found = set()
    for email in people.values():
        answer = await api.call(
            "POST", "/v1/account/sessions", json={"email": email, "password": "a wrong horse"}, modern=modern
        )
        found.add((answer.status, tuple(answer.headers), repr(answer.data)))
    ((status, _, _),) = found
    assert status == 401


async def test_proofs_tell_nothing(api: Api, pool: Pool, people: dict[str, str]):
    """An invented user and a real one get the same answer to a wrong secret, on both confirmations."""
    real = (await pool.fetchrow("select id from users where email = $1", people["known"]))[0]
    for path in ("/v1/account/recovery", "/v1/account/verification"):
        found = set()
        for user_id in (real, "0" * 20):
            body = {"userId": user_id, "secret": "f" * 256, "password": "new horse", "passwordAgain": "new horse"}
            answer = await api.call("PUT", path, json=body)
            found.add((answer.status, tuple(answer.headers), repr(answer.data)))
        assert len(found) == 1


async def test_a_project_may_reveal_for_a_conformance_run(api: Api, pool: Pool, people: dict[str, str]):
    """With reveal_unknown_users: 404 for nobody, 401 or 403 for the blocked, the real id for everybody else."""
    await projects.change(pool, "shop", reveal_unknown_users=True)
    async with asyncio.timeout(PATIENCE):  # the directory of projects is a second behind
        while (await ask(api, people["unknown"])).status == 201:  # noqa: ASYNC110 - Postgres and sockets can't be awaited
            await asyncio.sleep(0.2)
    await pool.execute("delete from tokens")
    old, new = await ask(api, people["unknown"]), await ask(api, people["unknown"], modern=True)
    assert (old.status, old.data["message"]) == (404, "User not found")
    assert (new.status, new.data["type"]) == (404, "user_not_found")
    old, new = await ask(api, people["blocked"]), await ask(api, people["blocked"], modern=True)
    assert (old.status, old.data["message"]) == (401, "Invalid credentials. User is blocked")
    assert (new.status, new.data["type"]) == (403, "user_blocked")
    assert await rows(pool) | {"tokens": 0} == await rows(pool)
    real = (await pool.fetchrow("select id from users where email = $1", people["known"]))[0]
    assert (await ask(api, people["known"])).data["userId"] == real
