"""No mailbox can be flooded through us, and no owner is kept from a mail (docs/security.md S24)."""

import asyncio
import itertools
from pathlib import Path
from random import Random

import aiohttp
import pytest
from aiohttp import DummyCookieJar
from pydantic import SecretStr

from devstack.servers import free_port
from service.app import make
from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit import processes
from testkit.api import Api, cookie_of
from testkit.patience import PATIENCE
from testkit.sink import Sink
from tests.security.test_known_device import mark_of

pytestmark = pytest.mark.usefixtures("patient")

VICTIM = "j.doe@gmail.com"
SPELLINGS = ["J.Doe@gmail.com", "jdoe@gmail.com", "j.d.o.e@googlemail.com", "jdoe+{}@gmail.com", "JDOE+{}@GMAIL.COM"]
PASSWORD = "correct horse"
# The routes on which a stranger can have a mail sent to an address of choice.
OPEN = (
    ("/v1/account/recovery", {"url": "http://localhost/reset"}),
    ("/v1/account/sessions/magic-url", {}),
    ("/v1/account/tokens/magic-url", {"userId": "unique()"}),
    ("/v1/account/tokens/email", {"userId": "unique()"}),
)
ASK = {"email": VICTIM, "url": "http://localhost/reset"}


class Attacker:
    """Comes from anywhere, spells the address in any way, names either project."""

    def __init__(self, api: Api, seed: int) -> None:
        self._api, self._chance, self._number = api, Random(seed), itertools.count()

    def spelling(self) -> str:
        return self._chance.choice(SPELLINGS).format(next(self._number))

    def place(self) -> dict[str, str]:
        octets = (self._chance.randrange(1, 255) for _ in range(3))
        project = self._chance.choice(("shop", "other"))
        return {"X-Forwarded-For": f"198.{'.'.join(map(str, octets))}", "X-Appwrite-Project": project}

    async def ask(self) -> int:
        path, body = self._chance.choice(OPEN)
        answer = await self._api.call("POST", path, json=body | {"email": self.spelling()}, headers=self.place())
        return answer.status

    async def as_member(self) -> list[int]:
        """Signs up with a spelling of the address, asks for its proof, and then moves on to the next spelling."""
        place, login = self.place(), {"email": f"jdoe+{next(self._number)}@gmail.com", "password": PASSWORD}
        created = await self._api.call("POST", "/v1/account", json=login, headers=place)
        opened = await self._api.call("POST", "/v1/account/sessions", json=login, headers=place)
        if (created.status, opened.status) != (201, 201):
            return [created.status, opened.status]
        member = place | {"Cookie": cookie_of(opened)}
        verification = {"url": "http://localhost/verify"}
        asked = await self._api.call("POST", "/v1/account/verification", json=verification, headers=member)
        moved = {"email": self.spelling(), "password": PASSWORD}
        change = await self._api.call("PATCH", "/v1/account/email", json=moved, headers=member)
        renewed = {"password": "other horse", "oldPassword": PASSWORD}
        told = await self._api.call("PATCH", "/v1/account/password", json=renewed, headers=member)
        assert told.status == 200, "a notice that may not be sent stops no act"
        return [asked.status, change.status]


async def ended(pool: Pool) -> None:
    """Until nothing waits to be sent."""
    async with asyncio.timeout(PATIENCE):
        while (await pool.fetchrow("select count(*) from mails where state in ('pending', 'sending')"))[0]:  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.05)  # the worker is a process of its own: there is no event to wait for


async def test_s24_a_mailbox_gets_ten_mails_however_one_tries(
    environment: dict[str, str], project: projects.Project, pool: Pool, redis, tmp_path: Path
):
    """Six routes, all spellings, any address, two projects, accounts of one's own: ten mails reach the mailbox."""
    await projects.create(pool, "other", name="Other")
    await projects.add_platform(pool, "other", hostname="localhost")
    async with Sink() as sink:
        settings = environment | {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none", "TRUSTED_HOPS": "1"}
        async with (
            processes.api(settings) as (_, address),
            processes.worker(settings, heartbeat=tmp_path / "alive"),
            aiohttp.ClientSession(address, cookie_jar=DummyCookieJar()) as client,
        ):
            attacker = Attacker(Api(client), seed=24)
            members = [await attacker.as_member() for _ in range(6)]
            strangers = [await attacker.ask() for _ in range(300)]
            members += [await attacker.as_member() for _ in range(6)]
            await ended(pool)
            assert 5 <= len(sink.mails) <= 10, "some were for nobody, or died with the account's next change"
            assert strangers.count(201) + strangers.count(429) == 300
            assert {status for pair in members[6:] for status in pair} <= {201, 429}


async def test_s24_a_refusal_tells_nothing(api: Api):
    """The eleventh mail is refused in the same words for an address with an account and one without."""
    await api.sign_up(VICTIM)
    for email in (VICTIM, "nobody@example.com"):
        answers = []
        for path, body in OPEN:
            answers += [await api.call("POST", path, json=body | {"email": email}) for _ in range(3)]
        assert [answer.status for answer in answers] == [201] * 10 + [429] * 2
        assert answers[-1].headers["X-RateLimit-Limit"] == "10"
        assert answers[-1].data["message"] == "Too many requests"


async def test_s24_one_network_can_not_use_up_the_day(aiohttp_client, api: Api, settings: Settings, redis, pool: Pool):
    """Twenty a day for a mailbox, ten of them at most from one network: the owner's own is left with some."""
    behind = Api(await aiohttp_client(make(settings.model_copy(update={"trusted_hops": 1}))))
    found = []
    for ip in ("192.0.2.1", "192.0.2.1", "203.0.113.9", "203.0.113.9", "198.51.100.1"):
        for key in await redis.keys("rl:*:mail.hour:*") + await redis.keys("rl:*:create_recovery.email:*"):
            await redis.delete(key)  # an hour later
            await pool.execute("delete from windows where name = $1", key.decode())
        asked = [
            await behind.call("POST", "/v1/account/recovery", json=ASK, headers={"X-Forwarded-For": ip})
            for _ in range(10)
        ]
        found.append([answer.status for answer in asked].count(201))
    assert found == [10, 0, 10, 0, 0]


async def test_s24_a_mail_that_is_not_sent_costs_nothing(api: Api):
    """A call that fails its validation uses nobody's budget up: only who has mails sent can exhaust it."""
    for _ in range(10):
        assert (await api.call("POST", "/v1/account/recovery", json={"email": VICTIM})).status == 400
    code = {"email": VICTIM, "userId": "unique()"}
    assert (await api.call("POST", "/v1/account/tokens/email", json=code)).status == 201


async def test_s24_a_network_has_a_budget_too(api: Api, pool: Pool):
    """Mails of one network are counted together, whoever they are for, and end at the project's number."""
    await projects.set_limit(pool, "shop", rule="mail.ip", numbers=[5, 3600])
    asked = [await api.call("POST", "/v1/account/recovery", json=ASK | {"email": f"u{n}@a.test"}) for n in range(7)]
    assert [answer.status for answer in asked] == [201] * 5 + [429] * 2


async def test_s24_a_projects_own_numbers_open_no_others_window(api: Api, pool: Pool):
    """A project with numbers of its own counts by itself: a window has one length, and the others' is not cut."""
    await projects.create(pool, "other", name="Other")
    await projects.add_platform(pool, "other", hostname="localhost")
    await projects.set_limit(pool, "other", rule="mail.hour", numbers=[100, 1])
    for project in ("shop", "shop", "other"):
        asked = await api.call("POST", "/v1/account/recovery", json=ASK, headers={"X-Appwrite-Project": project})
        assert asked.status == 201
        await pool.execute("update windows set calls = array(select at - interval '2 s' from unnest(calls) at)")
    rows = await pool.fetch("select cardinality(calls) from windows where name like '%mail.hour%'")
    assert sorted(row[0] for row in rows) == [1, 2]


async def test_s24_without_redis_postgres_keeps_the_budget(aiohttp_client, api: Api, settings: Settings, pool: Pool):
    """Two processes that lost Redis accept ten mails for a mailbox together, over all routes."""
    away = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    both = [Api(await aiohttp_client(make(away), cookie_jar=DummyCookieJar())) for _ in range(2)]
    calls = [(path, body | {"email": VICTIM}) for path, body in OPEN for _ in range(8)]
    await asyncio.gather(*(both[n % 2].call("POST", path, json=body) for n, (path, body) in enumerate(calls)))
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 10


async def test_a_notice_is_never_eaten_by_a_flood(aiohttp_client, api: Api, settings: Settings, pool: Pool):
    """With the mailbox's budget used up by strangers, its proved owner still hears of a new password."""
    await api.sign_up(VICTIM)
    await pool.execute("update users set email_verified = true")
    answer = await api.call("POST", "/v1/account/sessions", json={"email": VICTIM, "password": PASSWORD})
    assert mark_of(answer)
    for _ in range(12):
        await api.call("POST", "/v1/account/recovery", json=ASK)
    renewed = {"password": "other horse", "oldPassword": PASSWORD}
    member = {"Cookie": cookie_of(answer)}
    assert (await api.call("PATCH", "/v1/account/password", json=renewed, headers=member)).status == 200
    rows = await pool.fetch("select letter, count(*) from mails group by letter order by letter")
    assert [tuple(row) for row in rows] == [("password_changed", 1), ("recovery", 10)]
