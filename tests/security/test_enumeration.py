"""Nobody finds out who has an account: one answer and one amount of work for everybody (S01 to S09).

The time that the same work takes is the figure G10's; the promises of single routes are tested in
tests/integration/api/test_enumeration.py.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from service import ids
from service.app import make
from service.crypto import tab_secrets
from service.crypto.secret import Secret
from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import Settings
from service.store import projects, suppressions, test_accounts, tokens
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api
from testkit.visitor import change_project

pytestmark = pytest.mark.usefixtures("patient")

PEOPLE = ("unknown", "known", "blocked", "passwordless", "unproved", "deleted", "blocked himself", "suppressed")


@dataclass
class ObservedService:
    """The service with one of each kind of person, watched while it works."""

    api: Api
    pool: Pool
    redis: Redis
    ids: dict[str, str]
    asked: list[str]
    hashed: list[Any]

    async def open_windows(self) -> None:
        """For everybody alike: how many have asked from this machine before must not show."""
        await self.redis.flushdb()
        await self.pool.execute("delete from windows")

    async def seen(self, method: str, path: str, body: dict[str, Any], *, modern: bool) -> dict[str, object]:
        """Everything but time that a client can observe of a request, and the work that its time is made of."""
        await self.open_windows()
        self.asked.clear()
        self.hashed.clear()
        answer = await self.api.call(method, path, json=body, modern=modern, allow_redirects=False)
        await asyncio.sleep(0)  # loggers are called in the loop's next round
        return {
            "status": answer.status,
            "headers": [(name, _masked(name, value)) for name, value in answer.headers.items()],
            "body": _shape(answer.data, body),
            "statements": [_ACT.sub("", query) for query in self.asked if "from projects" not in query],
            "hashes": len(self.hashed),
        }


# The id that stands in the text of a COMMIT.
_ACT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _masked(name: str, value: str) -> str:
    """Ids, dates and what is left of a window change from one request to the next, whoever asks."""
    if name == "Set-Cookie":  # the mark of a browser: what is in it is as long for everybody
        sealed = re.sub(r"(?<=^first_tab_shop=)[^;]+", lambda found: str(len(found[0])), value)
        return re.sub(r"=[0-9a-f]{32};", "=;", sealed)
    if name == "X-Fallback-Cookies":
        return str(len(value))
    if name == "Location":  # the id of a code that nobody asked for by an id
        return re.sub(r"userId=[0-9a-f]{20}\Z", "userId=", value)
    return "" if name in ("Date", "X-Request-ID", "X-RateLimit-Reset", "RateLimit") else value


def _shape(data: Any, body: dict[str, Any]) -> object:
    """The form of an answer in JSON; a page but for what its own client sent."""
    if isinstance(data, dict):
        return [(name, type(value).__name__, len(str(value))) for name, value in data.items()]
    return data.replace(body.get("userId", "userId"), "")


@pytest.fixture
async def observed(aiohttp_client: Any, api: Api, pool: Pool, redis: Redis, settings: Settings) -> ObservedService:
    known = {name: ids.new() for name in PEOPLE}
    for name in PEOPLE[1:]:
        known[name] = (await api.sign_up(_address(name)))["$id"]
    await pool.execute("update users set email_verified = true where email <> $1", _address("unproved"))
    await pool.execute("update users set status = 'blocked' where email = $1", _address("blocked"))
    await pool.execute("update users set password_hash = null where email = $1", _address("passwordless"))
    await api.call("DELETE", f"/v1/users/{known['deleted']}", headers=await api_keys.key(pool))
    await api.call("DELETE", "/v1/account", headers=await api.sign_in(_address("blocked himself")))
    address = _address("suppressed")
    await suppressions.suppress(pool, settings.key_ring, "shop", address=address, cause="bounced", days=9)
    app = make(settings)
    watched = Api(await aiohttp_client(app))
    await watched.call("POST", "/v1/account/sessions", json={"email": "warm@example.com", "password": "warm"})
    observed = ObservedService(watched, pool, redis, known, [], [])
    (connection,) = app[SERVICES].pool._idle
    connection.add_query_logger(lambda record: observed.asked.append(record.query))
    run = app[SERVICES].passwords._run
    app[SERVICES].passwords._run = lambda work: observed.hashed.append(work) or run(work)
    return observed


def _address(name: str) -> str:
    return f"{name.replace(' ', '.'):x<16}@example.com"  # one length: it is told again


Ask = Callable[[ObservedService, str], dict[str, Any]]
URL = {"url": "http://localhost/there"}


def _proof(observed: ObservedService, name: str) -> dict[str, Any]:
    return {"userId": observed.ids[name], "secret": "f" * 256}


def _digits(observed: ObservedService, name: str) -> dict[str, Any]:
    return {"userId": observed.ids[name], "secret": "123456"}


ASKED: dict[str, tuple[str, str, Ask]] = {
    "login": ("POST", "/v1/account/sessions", lambda _, name: {"email": _address(name), "password": "a wrong horse"}),
    "recovery": ("POST", "/v1/account/recovery", lambda _, name: {"email": _address(name)} | URL),
    "magic url": ("POST", "/v1/account/sessions/magic-url", lambda _, name: {"email": _address(name)} | URL),
    "code": ("POST", "/v1/account/tokens/email", lambda _, name: {"email": _address(name), "userId": "unique()"}),
    "recovery's secret": (
        "PUT",
        "/v1/account/recovery",
        lambda observed, name: _proof(observed, name) | {"password": "a new horse", "passwordAgain": "a new horse"},
    ),
    "verification's secret": ("PUT", "/v1/account/verification", _proof),
    "magic url's secret": ("PUT", "/v1/account/sessions/magic-url", _proof),
    "link's secret": ("POST", "/v1/account/sessions/token", _proof),
    "code's digits": (
        "POST",
        "/v1/account/sessions/token",
        _digits,
    ),
    "recovery's code": ("POST", "/v1/account/recovery/otp", lambda _, name: {"email": _address(name)}),
    "recovery's digits": (
        "PUT",
        "/v1/account/recovery/otp",
        lambda observed, name: _digits(observed, name) | {"password": "a new horse"},
    ),
    "verification's digits": ("PUT", "/v1/account/verifications/email/otp", _digits),
    "page: recovery": ("POST", "/auth/recovery/new", lambda _, name: {"email": _address(name)}),
    "page: verification": ("POST", "/auth/verification/new", lambda _, name: {"email": _address(name)}),
    "page: magic url": ("POST", "/auth/magic-url/new", lambda _, name: {"email": _address(name)}),
    "page: code": ("POST", "/auth/code/new", lambda _, name: {"email": _address(name)}),
    "page: recovery's secret": (
        "POST",
        "/auth/recovery",
        lambda observed, name: _proof(observed, name) | {"password": "a new horse"},
    ),
    "page: verification's secret": ("POST", "/auth/verification", _proof),
    "page: magic url's secret": ("POST", "/auth/magic-url", _proof),
    "page: code's digits": (
        "POST",
        "/auth/code",
        _digits,
    ),
}


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize(("method", "path", "body"), ASKED.values(), ids=ASKED)
async def test_s01_to_s09_everybody_is_answered_alike(
    observed: ObservedService, method: str, path: str, body: Ask, modern: bool
):
    """Status, headers and their order, the body's form, the statements in their order, the hashes: one and the same."""
    found = {name: await observed.seen(method, path, body(observed, name), modern=modern) for name in PEOPLE}
    assert all(one == found["known"] for one in found.values()), found
    assert len(observed.asked) >= 1


@pytest.mark.parametrize("modern", [False, True])
async def test_s05_a_private_sign_up_answers_everybody_alike(observed: ObservedService, modern: bool):
    """201 for an address that is taken as for one that is not, with the same work; neither makes an account."""
    await projects.change(observed.pool, "shop", private_signup=True)
    observed.api.client.app[SERVICES].projects._seen.clear()
    before = await observed.pool.fetch("select id from users order by id")
    found = {}
    for name in PEOPLE:
        body = {"userId": "unique()", "email": _address(name), "password": "a new horse"}
        found[name] = await observed.seen("POST", "/v1/account", body, modern=modern)
    assert all(one == found["known"] for one in found.values()), found
    assert (found["known"]["status"], found["known"]["hashes"]) == (201, 1)
    assert await observed.pool.fetch("select id from users order by id") == before


@pytest.mark.parametrize("modern", [False, True])
async def test_s05_an_open_sign_up_hashes_before_it_looks(observed: ObservedService, modern: bool):
    """The 409 for a taken address can't be hidden there, and is no quicker: the password is hashed all the same."""
    for name in PEOPLE:
        body = {"userId": "unique()", "email": _address(name), "password": "a new horse"}
        found = await observed.seen("POST", "/v1/account", body, modern=modern)
        assert found["status"] == (201 if name in ("unknown", "deleted") else 409)
        assert found["hashes"] == 1


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [(Kind.OTP, "POST", "/v1/account/sessions/token"), (Kind.RECOVERY_OTP, "PUT", "/v1/account/recovery/otp")],
)
async def test_s02_guesses_at_codes_meet_the_same_rows(
    observed: ObservedService, settings: Settings, kind: Kind, method: str, path: str
):
    """A code was asked for: blocked or unknown, a wrong guess at it is counted in the same row by the same work.

    So it is where one of them is a test account, whose code may be a fixed one too.
    """
    ring, found = settings.key_ring, {}
    await change_project(observed.api, test_domains=["example.com"])
    owner, code = _address("known"), Secret("271828")
    await test_accounts.save(observed.pool, ring, "shop", email=owner, code=code, days=1)
    body = {"userId": "nobody", "secret": "314159", "password": "a new horse"}
    await observed.seen(method, path, body, modern=True)  # a connection looks types up once
    for name in PEOPLE:
        await tokens.issue(
            observed.pool, "shop", kind=kind, email=_address(name), kid=next(iter(ring)), seconds=600,
            requested_user_id=observed.ids[name],
        )  # fmt: skip
        found[name] = await observed.seen(method, path, body | {"userId": observed.ids[name]}, modern=True)
    assert all(one == found["known"] for one in found.values()), found


async def test_s03_who_waits_in_the_first_tab_learns_nothing(observed: ObservedService, settings: Settings):
    """Asking is alike for everybody, by the API and by our form; and so is waiting, for a link that has ended, too."""
    await change_project(observed.api, magic_links="first-tab")
    for path, more in (("/v1/account/tokens/magic-url", {"userId": "unique()"}), ("/auth/magic-url/new", {})):
        await observed.seen("POST", path, {"email": _address("warm"), **more}, modern=True)
        found = {}
        for name in PEOPLE:
            observed.api.client.session.cookie_jar.clear()  # each in a browser of their own
            found[name] = await observed.seen("POST", path, {"email": _address(name), **more}, modern=True)
        assert all(one == found["known"] for one in found.values()), found
    ring, found = settings.key_ring, {}
    for name in ("unknown", *PEOPLE):  # the first time a connection looks types up
        user_id = observed.ids[name]
        token = await tokens.issue(
            observed.pool, "shop", kind=Kind.FIRST_TAB, email=_address(name), kid=next(iter(ring)), seconds=600,
            requested_user_id=user_id,
        )  # fmt: skip
        facts = {"user_id": user_id, "token_id": token.id, "ends_at": token.expires_at}
        body = {"userId": user_id, "secret": tab_secrets.make(ring, "shop", **facts).reveal()}
        found[name] = await observed.seen("PUT", "/v1/account/sessions/magic-url", body, modern=True)
        await tokens.delete(observed.pool, "shop", token_id=token.id)
        found[f"{name}, ended"] = await observed.seen("PUT", "/v1/account/sessions/magic-url", body, modern=True)
    assert all(one == found["known"] for one in found.values()), found
    assert found["known"]["status"] == 401


async def test_s06_an_address_that_can_not_be_had_is_one_answer(observed: ObservedService, api: Api):
    """Another's, a blocked one's, the member's own: a plain 409 that says no more."""
    member = await api.sign_in(_address("known"))
    told = set()
    for name in ("known", "blocked", "unproved", "blocked himself"):
        body = {"email": _address(name), "password": "correct horse"}
        answer = await api.call("PATCH", "/v1/account/email", json=body, headers=member, modern=True)
        told.add((answer.status, answer.data["type"], answer.data["message"]))
    assert len(told) == 1
    assert next(iter(told))[:2] == (409, "user_target_already_exists")


async def test_s08_a_window_stands_for_everybody(observed: ObservedService):
    """Known or not, the numbers in the headers count down alike, to the same refusal."""
    told = {}
    for name in ("known", "unknown", "blocked"):
        await observed.open_windows()
        told[name] = []
        for _ in range(12):
            body = {"email": _address(name), "password": "a wrong horse"}
            answer = await observed.api.call("POST", "/v1/account/sessions", json=body)
            told[name].append((answer.status, answer.headers["X-RateLimit-Remaining"]))
    assert told["known"] == told["unknown"] == told["blocked"]
    assert [status for status, _ in told["known"]] == [401] * 10 + [429] * 2
