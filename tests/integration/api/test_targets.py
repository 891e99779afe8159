"""Push targets of a member, as today's SDKs see them."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import project_deletion, projects, sessions
from testkit import api_keys
from testkit.api import Api, cookie_of, kind
from testkit.factors import Person, signed_in
from testkit.identity_provider import IdentityProvider
from testkit.targets import PATH, identifiers, path, register
from testkit.visitor import Visitor
from worker.security_log import SecurityLogWriter

FIELDS = {
    "$id", "$createdAt", "$updatedAt", "name", "userId", "providerId", "providerType", "identifier", "expired",
}  # fmt: skip
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"


@pytest.fixture
async def ann(api: Api, pool: Pool, project: projects.Project) -> Person:
    await api.sign_up()
    return await signed_in(api, pool)


async def test_a_device_is_registered(ann: Person):
    """201 with the target, which the account shows behind its own address; every field is as the SDKs need it."""
    made = await register(ann, "phone", "token", providerId="fcm")
    assert made.status == 201
    assert made.data.keys() == FIELDS
    shown = {name: made.data[name] for name in FIELDS - {"$createdAt", "$updatedAt", "userId", "name"}}
    assert shown == {
        "$id": "phone", "providerId": "fcm", "providerType": "push", "identifier": "token", "expired": False,
    }  # fmt: skip
    user = (await ann.call("GET", "/v1/account")).data
    assert [each["providerType"] for each in user["targets"]] == ["email", "push"]
    assert user["targets"][1] == made.data
    assert made.data["userId"] == user["$id"]


async def test_its_name_is_the_device(ann: Person):
    """Brand and model of the user agent; without a provider the SDKs get null."""
    ann.headers |= {"User-Agent": PIXEL}
    made = (await register(ann, "unique()", "token")).data
    assert (made["name"], made["providerId"], len(made["$id"])) == ("Google Pixel 8", None, 20)


async def test_every_answer_with_the_user_shows_it(ann: Person):
    """Also those of a change, in the transaction of which the user was read anew."""
    await register(ann, "phone", "token")
    for changed in (
        await ann.call("PATCH", "/v1/account/name", name="Ann"),
        await ann.call("PATCH", "/v1/account/prefs", prefs={"theme": "dark"}),
    ):
        assert [each["identifier"] for each in changed.data["targets"]] == ["ann@example.com", "token"]


async def test_a_token_that_changes(ann: Person):
    """PUT sets the new one; the device stays the same target."""
    await register(ann, "phone", "token")
    changed = await ann.call("PUT", path("phone"), identifier="newer")
    assert changed.status == 200
    assert (changed.data["$id"], changed.data["identifier"], changed.data["expired"]) == ("phone", "newer", False)
    assert (await ann.call("PUT", path("phone"), identifier="newer")).status == 200
    assert await identifiers(ann) == ["newer"]


async def test_a_device_is_removed(ann: Person):
    """204, once."""
    await register(ann, "phone", "token")
    assert (await ann.call("DELETE", path("phone"))).status == 204
    assert kind(await ann.call("DELETE", path("phone"))) == (404, "user_target_not_found")
    assert kind(await ann.call("PUT", path("phone"), identifier="x")) == (404, "user_target_not_found")
    assert await identifiers(ann) == []


async def test_own_targets_are_no_push_targets(ann: Person):
    """The account's address is changed with the account; no device gets its id."""
    own = (await ann.call("GET", "/v1/account")).data["targets"][0]["$id"]
    for method in ("PUT", "DELETE"):
        assert kind(await ann.call(method, path(own), identifier="x")) == (404, "user_target_not_found")
    assert kind(await register(ann, own, "token")) == (409, "user_target_already_exists")


async def test_what_the_user_has_is_not_registered_twice(ann: Person):
    """409 for the user's own id, and for an identifier that another of the user's targets has."""
    await register(ann, "phone", "token")
    await register(ann, "tablet", "other")
    taken = (409, "user_target_already_exists")
    assert kind(await register(ann, "phone", "new")) == taken
    assert kind(await register(ann, "new", "token")) == taken
    assert kind(await ann.call("PUT", path("phone"), identifier="other")) == taken
    assert await identifiers(ann) == ["token", "other"]


@pytest.mark.parametrize(
    "body",
    [
        {"targetId": "phone"}, {"identifier": "token"}, {"targetId": "", "identifier": "token"},
        {"targetId": "-x", "identifier": "token"}, {"targetId": "x" * 37, "identifier": "token"},
        {"targetId": "phone", "identifier": ""}, {"targetId": "phone", "identifier": "x" * 256},
        {"targetId": "phone", "identifier": "a\nb"}, {"targetId": "phone", "identifier": 1},
        {"targetId": "phone", "identifier": "token", "providerId": "x" * 37},
    ],
)  # fmt: skip
async def test_bad_input(ann: Person, body: dict[str, object]):
    """400, and nothing is registered."""
    assert kind(await ann.call("POST", PATH, **body)) == (400, "general_argument_invalid")
    assert await identifiers(ann) == []


async def test_the_longest_identifier(ann: Person):
    """255 characters, of four bytes each too."""
    assert (await register(ann, "phone", "\U0001f600" * 255)).status == 201
    assert await identifiers(ann) == ["\U0001f600" * 255]


async def test_a_target_ends_with_its_session(api: Api, pool: Pool, ann: Person):
    """By sign-out, and by a new password, which ends other sessions; the rest stays."""
    other = await signed_in(api, pool)
    await register(ann, "phone", "token")
    await register(other, "tablet", "other")
    answer = await ann.call("PATCH", "/v1/account/password", password="another horse", oldPassword="correct horse")
    assert [each["$id"] for each in answer.data["targets"]][1:] == ["phone"]
    assert await identifiers(ann) == ["token"]
    assert (await ann.call("DELETE", "/v1/account/sessions/current")).status == 204
    assert await pool.fetch("select from targets") == []


async def test_a_session_that_has_expired_has_no_target(api: Api, pool: Pool, ann: Person):
    """From that second on, before it is purged: it isn't shown, doesn't count, and its identifier is free."""
    other = await signed_in(api, pool)
    await register(other, "phone", "token")
    await pool.execute("update sessions set expires_at = now() where id in (select session_id from targets)")
    assert await identifiers(ann) == []
    assert (await register(ann, "phone", "token")).status == 201
    assert await identifiers(ann) == ["token"]


async def test_expired_sessions_take_targets_along(pool: Pool, ann: Person):
    """The purge leaves no row behind."""
    await register(ann, "phone", "token")
    await pool.execute("update sessions set expires_at = now() - interval '2 days'")
    await sessions.delete_expired(pool, most=500)
    assert await pool.fetch("select from targets") == []


@pytest.mark.parametrize(("method", "way"), [("DELETE", "/v1/account"), ("PATCH", "/v1/account/status")])
async def test_a_member_who_leaves_gets_no_messages(api: Api, pool: Pool, ann: Person, method: str, way: str):
    """A closed account keeps its row and its sessions, but no target of any session, nor of a server."""
    other = await signed_in(api, pool)
    await register(ann, "phone", "token")
    await register(other, "tablet", "other")
    await pool.execute("update targets set session_id = null where id = 'tablet'")
    answer = await ann.call(method, way)
    assert answer.status in (200, 204)
    if answer.status == 200:
        assert [each["providerType"] for each in answer.data["targets"]] == ["email"]
    assert await pool.fetch("select from targets") == []


async def test_a_deleted_user_leaves_none(api: Api, pool: Pool, ann: Person):
    """The operator's DELETE takes the rows along, those without a session too."""
    await register(ann, "phone", "token")
    await pool.execute("update targets set session_id = null")
    user = (await ann.call("GET", "/v1/account")).data["$id"]
    server = await api_keys.key(pool)
    assert (await api.call("DELETE", f"/v1/users/{user}", headers=server)).status == 204
    assert await pool.fetch("select from targets") == []


async def test_a_deleted_project_leaves_none(pool: Pool, ann: Person):
    """Targets go with the project's users."""
    await register(ann, "phone", "token")
    await pool.execute("update targets set session_id = null")
    assert await project_deletion.delete(pool, "shop", report=lambda _: None)
    assert await pool.fetch("select from targets") == []


async def test_a_jwt_stands_for_its_session(pool: Pool, ann: Person):
    """A target that is registered by a JWT ends with the session of the JWT."""
    jwt = (await ann.call("POST", "/v1/account/jwts")).data["jwt"]
    assert (await register(Person(ann.api, pool, {"X-Appwrite-JWT": jwt}), "phone", "token")).status == 201
    await ann.call("DELETE", "/v1/account/sessions/current")
    assert await pool.fetch("select from targets") == []


async def test_the_log_has_the_changes(pool: Pool, ann: Person):
    """Names of the contract, and no identifier in any entry."""
    await register(ann, "phone", "token-of-the-device")
    await ann.call("PUT", path("phone"), identifier="token-of-the-device-2")
    await ann.call("DELETE", path("phone"))
    await SecurityLogWriter(pool).write_pending()
    logs = (await ann.call("GET", "/v1/account/logs")).data["logs"]
    named = [each["event"] for each in logs if each["event"].startswith("target.")]
    assert sorted(named) == ["target.create", "target.delete", "target.update"]
    assert "token-of" not in str(logs)


@pytest.fixture
async def provider(pool: Pool, settings: Settings, project: projects.Project) -> AsyncIterator[IdentityProvider]:
    """A provider to which browsers are sent, and whose ID tokens are taken from apps."""
    async with IdentityProvider() as server:
        await server.register(pool, settings.key_ring, "shop", "oidc", native=True)
        yield server


async def test_a_session_that_takes_anothers_place_gets_its_targets(api: Api, pool: Pool, provider: IdentityProvider):
    """Sign-in by a provider replaces the session of the request: the device is still registered."""

    async def sign_in(headers: dict[str, str]) -> Person:
        body = {"provider": "oidc", "idToken": provider.id_token(jti=uuid4().hex)}
        answer = await api.call("POST", "/v1/account/sessions/id-token", json=body, headers=headers, modern=True)
        assert answer.status == 201, answer.data
        return Person(api, pool, {"Cookie": cookie_of(answer)})

    first = await sign_in({})
    await register(first, "phone", "token")
    second = await sign_in(first.headers)
    assert await identifiers(second) == ["token"]
    assert (await first.call("GET", "/v1/account")).status == 401
    await second.call("DELETE", "/v1/account/sessions/current")
    assert await pool.fetch("select from targets") == []


async def test_two_users_who_exchange_devices(api: Api, pool: Pool, ann: Person):
    """Each gets the other's at the same time: neither waits for the other for ever, and each has one in the end."""
    await api.sign_up("bob@example.com")
    bob = await signed_in(api, pool, "bob@example.com")
    await register(ann, "phone", "a")
    await register(bob, "phone", "b")
    answers = await asyncio.gather(
        ann.call("PUT", path("phone"), identifier="b"), bob.call("PUT", path("phone"), identifier="a")
    )
    assert {answer.status for answer in answers} <= {200, 404}
    rows = await pool.fetch("select identifier from targets")
    assert len({row["identifier"] for row in rows}) == len(rows)


async def test_sign_in_by_a_provider_keeps_the_browsers_target(visitor: Visitor, pool: Pool):
    """The redirect flow replaces the browser's session too; the target of another device stays with its own."""
    await visitor.sign_in()
    made = await visitor.call("POST", PATH, targetId="browser", identifier="token")
    assert made.status == 201, made.data
    other = Visitor(visitor.api, visitor.provider)
    await other.sign_in()
    await other.call("POST", PATH, targetId="phone", identifier="other")
    await visitor.sign_in()
    assert [each["$id"] for each in (await visitor.account())["targets"]][1:] == ["browser", "phone"]
    bound = await pool.fetch("select session_id from targets")
    assert len({row["session_id"] for row in bound}) == 2
    await visitor.call("DELETE", "/v1/account/sessions/current")
    assert [each["$id"] for each in (await other.account())["targets"]][1:] == ["phone"]


async def test_sixty_calls_an_hour(ann: Person):
    """The three calls share one window for an account; reading is not counted."""
    for number in range(60):
        method, body = (("PUT", {"identifier": "x"}), ("DELETE", {}))[number % 2]
        assert (await ann.call(method, path("none"), **body)).status == 404
    assert kind(await register(ann, "phone", "token")) == (429, "general_rate_limit_exceeded")
    assert (await ann.call("GET", "/v1/account")).status == 200
