"""Rate-limit windows tell a client nothing of other users, and made-up identities gain it nothing.

Neither an answer nor its headers may tell what the owner of an address has done.
"""

import asyncio

import pytest
from redis.asyncio import Redis

from service.db import Pool
from service.rate_limiter import HOUR
from service.store import projects
from testkit.api import Api, cookie_of
from testkit.proofs import ANN
from tests.security.test_places import ASK, LOGIN, call, in_postgres, in_redis, logins

pytestmark = pytest.mark.usefixtures("patient", "cheap")

NOBODY, STRANGER = "nobody@example.com", "192.0.2.1"


async def active(api: Api, email: str) -> None:
    """The owner signs in, fails, recovers, from elsewhere."""
    await logins(api, {"email": email, "password": "correct horse"}, 3)
    await logins(api, {"email": email, "password": "wrong horse"}, 4)
    for path in ("recovery", "sessions/magic-url"):
        await call(api, "POST", f"/v1/account/{path}", ASK | {"email": email})


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (LOGIN, {"password": "a wrong horse"}), ("/v1/account/recovery", {"url": "http://localhost/"}),
        ("/v1/account/sessions/magic-url", {}), ("/v1/account/tokens/email", {"userId": "unique()"}),
    ],
)  # fmt: skip
async def test_s08_nobody_learns_that_the_owner_was_active(behind: Api, path: str, more: dict):
    """A stranger's first call is answered alike for an address whose owner was busy and for nobody's."""
    await behind.sign_up()
    await active(behind, ANN)
    told = []
    for number, email in enumerate((ANN, NOBODY)):
        answer = await call(behind, "POST", path, {"email": email} | more, ip=f"192.0.2.{number}")
        told.append((answer.status, limit_headers(answer)))
    assert told[0] == told[1]
    assert told[0][1]["X-RateLimit-Remaining"] == "99"


async def test_s08_a_full_window_of_others_shows_no_moment(behind: Api):
    """The 429 of an address's window is the same whenever its calls were, and for nobody's address."""
    await behind.sign_up()
    told = []
    for number, email in enumerate((ANN, NOBODY)):
        body = {"email": email, "password": "wrong horse"}
        assert (await logins(behind, body, 11, ip=f"192.0.2.{number}"))[-1] == 429
        told.append(limit_headers(await call(behind, "POST", LOGIN, body, ip=f"198.51.100.{number}")))
    assert told[0] == told[1]
    assert told[0] == {
        "Retry-After": "3600", "X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0",
        "RateLimit-Policy": '"default";q=10;w=3600', "RateLimit": '"default";r=0;t=3600',
    }  # fmt: skip


async def test_s08_mails_that_others_asked_for_are_not_counted_out(behind: Api):
    """Whichever of a mailbox's windows is full, by the hour, the day or the route, the answer is one."""
    told = []
    for email, paths in ((ANN, ["recovery"] * 10), (NOBODY, ["recovery"] * 5 + ["sessions/magic-url"] * 5)):
        for number, path in enumerate(paths):
            body = ASK | {"email": email}
            answer = await call(behind, "POST", f"/v1/account/{path}", body, ip=f"203.0.113.{number}")
            assert answer.status == 201
        told.append(limit_headers(await call(behind, "POST", "/v1/account/recovery", ASK | {"email": email})))
    assert told[0] == told[1]
    assert told[0]["Retry-After"] == "3600"


def limit_headers(answer) -> dict[str, str]:
    """All that tells of windows but the moment of the answer itself, which X-RateLimit-Reset begins with."""
    names = ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "RateLimit-Policy", "RateLimit")
    return {name: answer.headers[name] for name in names if name in answer.headers}


async def test_s06_taken_answers_are_counted_by_network(behind: Api, pool: Pool):
    """A network learns of ten taken addresses an hour, with however many anonymous accounts it asks."""
    await projects.set_limit(pool, "shop", rule="create_account.ip", numbers=[])
    for number in range(12):
        await behind.sign_up(f"u{number}@example.com")
    statuses = []
    for number in range(12):
        opened = await call(behind, "POST", "/v1/account/sessions/anonymous", {}, ip=STRANGER)
        member = {"Cookie": cookie_of(opened)}
        body = {"email": f"u{number}@example.com", "password": "correct horse"}
        statuses.append((await call(behind, "PATCH", "/v1/account/email", body, ip=STRANGER, **member)).status)
    assert statuses[:10] == [statuses[0]] * 10
    assert statuses[0] == 400
    assert statuses[10:] == [429, 429]


async def test_s06_changes_of_address_that_succeed_are_not(behind: Api):
    """A network's people change their addresses as often as each of them may."""
    await behind.sign_up()
    member = await behind.sign_in()
    for number in range(5):
        body = {"email": f"ann{number}@example.com", "password": "correct horse"}
        assert (await call(behind, "PATCH", "/v1/account/email", body, **member)).status == 200


async def test_s79_recoveries_that_are_none_open_no_windows(behind: Api, pool: Pool, redis: Redis):
    """Bodies without a page make one window, the network's, and end at its number."""
    found = [
        (await call(behind, "POST", "/v1/account/recovery", {"email": f"u{number}@a.test"}, ip=STRANGER)).status
        for number in range(105)
    ]
    assert found == [400] * 100 + [429] * 5
    assert await in_postgres(pool) == await in_redis(redis) == {"create_recovery.ip": 100}


@pytest.mark.parametrize(("rule", "path", "body"), [
    ("update_name.user", "/v1/account/name", {"name": "Ann"}),
    ("update_prefs.user", "/v1/account/prefs", {"prefs": {"theme": "pink"}}),
])  # fmt: skip
async def test_s78_a_members_writes_are_bounded(api: Api, pool: Pool, rule: str, path: str, body: dict):
    """Name and preferences have their number as well."""
    await projects.set_limit(pool, "shop", rule=rule, numbers=[3, HOUR])
    await api.sign_up()
    member = await api.sign_in()
    answers = await asyncio.gather(*(api.call("PATCH", path, json=body, headers=member) for _ in range(9)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 6
