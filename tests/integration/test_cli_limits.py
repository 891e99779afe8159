"""`python -m service limits`: a project's own numbers, what its windows hold, and emptying them."""

import asyncio
import json

import pytest
from aiohttp import DummyCookieJar
from pydantic import SecretStr
from redis.asyncio import Redis

from devstack.servers import free_port
from service.app import make
from service.cli.exit_codes import MISSING, WRONG
from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit.api import Api
from tests.integration.conftest import Terminal

REFUSED = "refuses connections: is it running, and is that its address?"
ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}


async def test_numbers_are_set_and_taken_back(type_: Terminal, pool: Pool):
    """Own numbers, none at all, and those of the code again; nothing else of the project changes."""
    await projects.create(pool, "shop", name="Shop")
    for said, kept, told in (
        ("20/1h", {"create_session.email": [20, 3600]}, "20 in 3600 s"),
        ("100/15m", {"create_session.email": [100, 900]}, "100 in 900 s"),
        ("3/s", {"create_session.email": [3, 1]}, "3 in 1 s"),
        ("off", {"create_session.email": []}, "off"),
        ("default", {}, "10 in 3600 s"),
    ):
        answer = await type_.json("limits", "set", "shop", "create_session.email", said)
        assert answer == {"project": "shop", "rule": "create_session.email", "limit": told, "default": not kept}
        found = await projects.find(pool, "shop")
        assert found
        assert found.limits == kept


async def test_all_rules_are_shown(type_: Terminal, pool: Pool):
    """The defaults, the project's own rules and the budgets of mailboxes are shown."""
    await projects.create(pool, "shop", name="Shop")
    await type_.json("limits", "set", "shop", "mail.day", "5/1d")
    rules = {rule["rule"]: rule for rule in await type_.json("limits", "show", "shop")}
    assert rules["create_recovery.email"] == {
        "rule": "create_recovery.email", "limit": "10 in 3600 s", "default": True,
    }  # fmt: skip
    assert rules["mail.day"] == {"rule": "mail.day", "limit": "5 in 86400 s", "default": False}


async def test_windows_are_shown_and_emptied(type_: Terminal, api: Api, redis: Redis):
    """By address in any spelling, by client: what is used, and then nothing; looking counts nothing."""
    for _ in range(11):
        answer = await api.call("POST", "/v1/account/recovery", json=ASK)
    assert answer.status == 429
    for _twice in range(2):
        found = await type_.json("limits", "show", "shop", "--email", "A.N.N@example.com")
        used = {window["rule"]: (window["used"], window["limit"]) for window in found}
        assert used["create_recovery.email"] == used["mail.hour"] == (10, 10)
        assert used["create_session.email"] == (0, 10)
    assert 0 < next(window["reset"] for window in found if window["rule"] == "mail.hour") <= 3600
    by_ip = {
        window["rule"]: window["used"] for window in await type_.json("limits", "show", "shop", "--ip", "127.0.0.1")
    }
    assert by_ip["mail.ip"] == 10
    answer = await type_.json("limits", "reset", "shop", "--email", "ann@example.com")
    assert answer == {"project": "shop", "emptied": 3}
    assert (await api.call("POST", "/v1/account/recovery", json=ASK)).status == 429, "the network's day is used up"
    await type_.json("limits", "reset", "shop", "--email", "ann@example.com", "--ip", "127.0.0.1")
    assert (await api.call("POST", "/v1/account/recovery", json=ASK)).status == 201
    assert len(await redis.keys("rl:*")) > 3


async def test_recovery_codes_of_a_mailbox_are_given_back(type_: Terminal, api: Api):
    """Five a day, and five for its known devices: both are shown, and emptied with the other windows of the address."""
    ask = {"email": "ann@example.com"}
    for _ in range(6):
        answer = await api.call("POST", "/v1/account/recovery/otp", json=ask, modern=True)
    assert answer.status == 429
    found = await type_.json("limits", "show", "shop", "--email", "ann@example.com")
    used = {window["rule"]: (window["used"], window["limit"]) for window in found}
    assert (used["mail.recovery_code"], used["mail.recovery_code.devices"]) == ((5, 5), (0, 5))
    await type_.json("limits", "reset", "shop", "--email", "ann@example.com")
    assert (await api.call("POST", "/v1/account/recovery/otp", json=ask, modern=True)).status == 201


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("limits set shop nothing.email 1/1h", WRONG), ("limits set shop create_session.email 0/1h", WRONG),
        ("limits set shop create_session.email 1/32d", WRONG), ("limits set shop create_session.email many", WRONG),
        ("limits set none create_session.email 1/1h", MISSING), ("limits show none", MISSING),
        ("limits reset shop", WRONG), ("limits show shop --ip nowhere", WRONG),
        ("limits reset shop --phone 015112345678", WRONG), ("limits show shop --phone +49151", WRONG),
    ],
)  # fmt: skip
async def test_wrong_words_change_nothing(type_: Terminal, pool: Pool, words: str, code: int):
    """A rule or project that isn't there, or numbers that are none, change nothing."""
    await projects.create(pool, "shop", name="Shop")
    assert (await type_(*words.split()))[0] == code
    found = await projects.find(pool, "shop")
    assert found
    assert found.limits == {}


@pytest.fixture
def away(type_: Terminal, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens where the command looks for Redis."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")


@pytest.mark.usefixtures("away")
async def test_windows_are_shown_without_redis(type_: Terminal, api: Api, redis: Redis):
    """Postgres knows of every call; an operator is told that Redis was not asked."""
    for _ in range(3):
        await api.call("POST", "/v1/account/recovery", json=ASK)
    code, shown, said = await type_("--json", "limits", "show", "shop", "--email", "ann@example.com")
    assert (code, said.count("redis at 127.0.0.1"), len(said.splitlines())) == (0, 1, 2)
    assert {row["rule"]: row["used"] for row in json.loads(shown)}["mail.hour"] == 3


@pytest.mark.usefixtures("away")
async def test_a_reset_without_redis_reaches_the_api(type_: Terminal, api: Api, redis: Redis):
    """The command can't tell Redis, which has the window full: who is refused next makes the API hear of it."""
    await fill(api)
    code, _, said = await type_("limits", "reset", "shop", "--email", "ann@example.com", "--ip", "127.0.0.1")
    assert (code, "redis at 127.0.0.1" in said) == (0, True)
    async with asyncio.timeout(10):
        while (await api.call("POST", "/v1/account/recovery", json=ASK)).status == 429:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.05)  # it asks five times a second
    held = [await redis.zcard(key) for key in await redis.keys("rl:*:create_recovery.email:*")]
    assert sum(held) < 10, "Redis has been told too"


async def test_a_reset_reaches_an_api_without_redis(
    type_: Terminal, aiohttp_client, api: Api, settings: Settings, redis: Redis
):
    """A process that has seen the window full, and then lost Redis, goes on once the window is empty."""
    gone = settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    alone = Api(await aiohttp_client(make(gone), cookie_jar=DummyCookieJar()))
    await fill(alone)
    await type_.json("limits", "reset", "shop", "--email", "ann@example.com", "--ip", "127.0.0.1")
    async with asyncio.timeout(10):
        while (await alone.call("POST", "/v1/account/recovery", json=ASK)).status == 429:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.05)  # a full window is believed for a fifth of a second


async def fill(api: Api) -> None:
    found = [(await api.call("POST", "/v1/account/recovery", json=ASK)).status for _ in range(11)]
    assert found == [201] * 10 + [429]
