"""Nobody is locked out by somebody else's guesses (S55): a device that signed in before gets through."""

import time

import pytest
from aiohttp import DummyCookieJar

from service.app import make
from service.crypto import known_devices
from service.crypto.known_devices import SECONDS
from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit.api import Api

pytestmark = pytest.mark.usefixtures("patient")

ANN = "ann@example.com"
RIGHT, WRONG = {"email": ANN, "password": "correct horse"}, {"email": ANN, "password": "wrong horse"}
RING = {"new": b"n" * 32, "old": b"o" * 32}


async def sign_in(api: Api, body: dict[str, str], ip: str = "203.0.113.1", cookie: str = ""):
    headers = {"X-Forwarded-For": ip} | ({"Cookie": cookie} if cookie else {})
    return await api.call("POST", "/v1/account/sessions", json=body, headers=headers)


def mark_of(answer) -> str:
    """The cookie that makes its browser a known device."""
    (line,) = [line for line in answer.headers.getall("Set-Cookie") if line.startswith("known_device_")]
    return line.partition(";")[0]


async def known(api: Api, email: str = ANN) -> str:
    await api.sign_up(email)
    return mark_of(await sign_in(api, RIGHT | {"email": email}))


async def burn(api: Api) -> None:
    """An attacker with fifty addresses uses the account's window up."""
    found = [(await sign_in(api, WRONG, f"192.0.2.{number}")).status for number in range(50)]
    assert found[-40:] == [429] * 40


async def test_s55_the_owners_device_gets_in_all_the_same(behind: Api):
    """With the account's window burnt from fifty addresses, a stranger waits and the known device signs in."""
    mark = await known(behind)
    await burn(behind)
    stranger = await sign_in(behind, RIGHT)
    assert (stranger.status, "Set-Cookie" in stranger.headers) == (429, False)
    owner = await sign_in(behind, RIGHT, cookie=mark)
    assert owner.status == 201
    assert (await sign_in(behind, RIGHT, cookie=mark_of(owner))).status == 201


async def test_s55_a_known_device_guesses_no_more_than_anybody(behind: Api):
    """It has a window of its own, of the same size, and its failures take nothing from the strangers' one."""
    mark = await known(behind)
    found = [(await sign_in(behind, WRONG, cookie=mark)).status for _ in range(11)]
    assert found == [401] * 10 + [429]
    assert (await sign_in(behind, RIGHT)).status == 201


async def test_s55_signing_in_again_opens_no_new_window(behind: Api):
    """A mark that is renewed stays one device: who has the password gets no more guesses by it, on any network."""
    mark, found = await known(behind), []
    for number in range(22):
        body = WRONG if number % 2 else RIGHT
        answer = await sign_in(behind, body, f"192.0.2.{number}", cookie=mark)
        found.append(answer.status)
        mark = mark_of(answer) if answer.status == 201 else mark
    assert found == [201, 401] * 10 + [429] * 2


async def test_s55_marks_can_not_be_collected(behind: Api, pool: Pool, settings: Settings):
    """All known devices of an address have ten times one's calls together."""
    await projects.set_limit(pool, "shop", rule="create_session.email", numbers=[2, 3600])
    await behind.sign_up()
    tokens = [known_devices.add_token(settings.key_ring, "", "shop", email=ANN, verified=True) for _ in range(12)]
    cookies = [f"known_device_shop={mark}" for mark in tokens for _ in range(2)]
    found = [(await sign_in(behind, WRONG, cookie=cookie)).status for cookie in cookies]
    assert found == [401] * 20 + [429] * 4


async def test_s55_a_device_has_the_projects_own_number(behind: Api, pool: Pool):
    """As many calls as the project gives a stranger: more, fewer, or as many as one likes."""
    await projects.set_limit(pool, "shop", rule="create_session.email", numbers=[3, 3600])
    mark = await known(behind)
    assert [(await sign_in(behind, WRONG, cookie=mark)).status for _ in range(4)] == [401] * 3 + [429]


async def test_s55_a_mark_is_for_one_address_and_project(behind: Api, pool: Pool):
    """One's own device is no way to another's account, nor to the same address elsewhere."""
    eve = await known(behind, "eve@example.com")
    await known(behind)
    await projects.create(pool, "other", name="Other")
    there = {"X-Appwrite-Project": "other"}
    await behind.call("POST", "/v1/account", json=RIGHT, headers=there)
    answer = await behind.call("POST", "/v1/account/sessions", json=RIGHT, headers=there)
    elsewhere = mark_of(answer).replace("known_device_other", "known_device_shop")
    await burn(behind)
    for cookie in (eve, elsewhere, "known_device_shop=1", f"{eve}x", "known_device_shop=" + "~" * 5000):
        assert (await sign_in(behind, RIGHT, cookie=cookie)).status == 429


async def test_s55_it_tells_nothing(behind: Api):
    """No answer to a wrong password hands a mark out, whether or not the account is there."""
    mark = await known(behind)
    for email in (ANN, "nobody@example.com"):
        for cookie in ("", mark):
            answer = await sign_in(behind, WRONG | {"email": email}, cookie=cookie)
            assert (answer.status, "Set-Cookie" in answer.headers) == (401, False)
            known_here = bool(cookie) and email == ANN
            assert answer.headers["X-RateLimit-Limit"] == ("10" if known_here else "100")


async def test_s55_recoveries_of_the_owner_go_through(behind: Api, pool: Pool):
    """A stranger who uses up what an address may be mailed keeps its proved owner from no recovery."""
    await behind.sign_up()
    await pool.execute("update users set email_verified = true")
    mark = mark_of(await sign_in(behind, RIGHT))
    ask = {"email": ANN, "url": "http://localhost/reset"}
    for number in range(20):
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        await behind.call("POST", "/v1/account/recovery", json=ask, headers=headers)
    found = [
        (await behind.call("POST", "/v1/account/recovery", json=ask, headers=headers)).status
        for headers in ({}, *[{"Cookie": mark}] * 6)
    ]
    assert found == [429, *[201] * 5, 429]


async def test_s55_an_unproved_address_earns_no_mails(behind: Api):
    """A user signed in to an account with another's unproved address can send it no more mails than a guest."""
    mark = await known(behind)
    ask = {"email": ANN, "url": "http://localhost/reset"}
    for number in range(12):
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        await behind.call("POST", "/v1/account/recovery", json=ask, headers=headers)
    assert (await behind.call("POST", "/v1/account/recovery", json=ask, headers={"Cookie": mark})).status == 429


async def test_the_cookie_is_kept_from_scripts_and_sdks(behind: Api, settings: Settings, aiohttp_client):
    """Half a year, HttpOnly, Secure where the service is; before the session's own, and in no fallback header."""
    await behind.sign_up()
    answer = await sign_in(behind, RIGHT)
    lines = answer.headers.getall("Set-Cookie")
    assert [line.partition("=")[0] for line in lines] == [
        "known_device_shop",
        "a_session_shop_legacy",
        "a_session_shop",
    ]
    assert lines[0].split("; ")[1:] == ["Path=/", f"Max-Age={180 * 86_400}", "HttpOnly", "SameSite=Lax"]
    assert "known_device" not in answer.headers["X-Fallback-Cookies"]
    https = make(settings.model_copy(update={"public_url": "https://accounts.example.com"}))
    secure = await sign_in(Api(await aiohttp_client(https, cookie_jar=DummyCookieJar())), RIGHT)
    assert secure.headers.getall("Set-Cookie")[0].endswith("; HttpOnly; Secure; SameSite=None")


def test_a_mark_names_nobody():
    """Neither address nor project stands in it; it is small, whoever uses the device."""
    tokens = known_devices.add_token(RING, "", "shop", email=ANN, verified=True)
    assert "ann" not in tokens
    assert "shop" not in tokens
    for number in range(20):
        tokens = known_devices.add_token(RING, tokens, "shop", email=f"u{number}@example.com", verified=False)
    assert tokens.count("~") == 4
    assert len(tokens) < 500
    assert known_devices.find(RING, tokens, "shop", email=ANN) is None, "the oldest went"
    assert known_devices.find(RING, tokens, "shop", email="u19@example.com")


def test_a_mark_outlives_its_key_only_while_that_is_kept():
    """Marks of an older key count until the key goes."""
    tokens = known_devices.add_token({"old": RING["old"]}, "", "shop", email=ANN, verified=True)
    assert known_devices.find(RING, tokens, "shop", email=ANN)
    assert known_devices.find({"new": RING["new"]}, tokens, "shop", email=ANN) is None


@pytest.mark.parametrize("field", range(5))
def test_no_part_of_a_mark_can_be_changed(field: int):
    """Key, date, id, proof of address: each is under the seal."""
    parts = known_devices.add_token(RING, "", "shop", email=ANN, verified=False).split(".")
    other = ["old", str(int(time.time()) - 5), "0" * 16, "1", "f" * 32][field]
    forged = ".".join([*parts[:field], other, *parts[field + 1 :]])
    assert known_devices.find(RING, forged, "shop", email=ANN) is None


def test_a_mark_ends_after_half_a_year(monkeypatch: pytest.MonkeyPatch):
    """A mark ends after half a year, and one from the future is none."""
    tokens = known_devices.add_token(RING, "", "shop", email=ANN, verified=True)
    now = time.time()
    for later, found in ((SECONDS - 60, True), (SECONDS + 60, False), (-3600, False)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert (known_devices.find(RING, tokens, "shop", email=ANN) is not None) == found
