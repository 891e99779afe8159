"""Users by API key: who may, what is shown, making and deleting."""

import re

import pytest

from service.app import routes
from service.db import Pool
from service.errors import RouteNotFound
from service.store import projects
from testkit import api_keys
from testkit.api import Api

_ROUTES = [route for route in routes() if route.access == "key"]
each_route = pytest.mark.parametrize("route", _ROUTES, ids=[route.name for route in _ROUTES])


def _path(route, user_id: str = "ann") -> str:
    path = route.paths[0].replace("{userId}", user_id).replace("{type}", "totp")
    return re.sub(r"\{(sessionId|identityId|challengeId|passkeyId|targetId|invitationId)\}", "anything", path)


# Whatever a route of ours may want, so that nothing but the caller is at fault.
_BODY = {
    "userId": "new", "email": "new@example.com", "name": "New", "password": "correct horse", "status": False,
    "emailVerification": True, "prefs": {"theme": "pink"}, "labels": ["vip"],
    "mfa": True, "number": "+4915112345678", "phoneVerification": True,
    "targetId": "tv", "providerType": "push", "identifier": "token",
}  # fmt: skip


@each_route
async def test_who_may(api: Api, pool: Pool, route):
    """No key, a key without the scope, an expired key and another project's key open nothing, in either era."""
    await projects.create(pool, "other", name="Other")
    other_scope = "users.write" if route.scope == "users.read" else "users.read"
    foreign = await api_keys.key(pool, project="other")
    for headers, kind in (
        ({}, "general_unauthorized_scope"),
        ({"X-Appwrite-Key": "key_invented"}, "general_unauthorized_scope"),
        (await api_keys.key(pool, other_scope), "general_unauthorized_scope"),
        (foreign | {"X-Appwrite-Project": "shop"}, "general_unauthorized_scope"),
        (await api_keys.key(pool, days=-1), "project_key_expired"),
    ):
        for modern in (True, False):
            answer = await api.call(route.method, _path(route), headers=headers, modern=modern, json=_BODY)
            assert (answer.status, answer.data["type"]) == (401, kind)


@each_route
async def test_projects_are_apart(api: Api, pool: Pool, route):
    """A key sees and changes its own project's users alone, under whatever id it asks."""
    await projects.create(pool, "other", name="Other")
    user = await api.sign_up()
    await api.sign_in()
    before = await pool.fetch("select * from users where project_id = 'shop'")
    answer = await api.call(
        route.method, _path(route, user["$id"]), headers=await api_keys.key(pool, project="other"), json=_BODY
    )
    assert answer.status == 404 or "{userId}" not in route.paths[0]
    assert await pool.fetch("select * from users where project_id = 'shop'") == before
    assert len(await pool.fetch("select * from sessions")) == 1
    if route.name == "list_users":
        assert answer.data == {"sum": 0, "users": []}


async def test_a_member_is_no_operator(api: Api):
    """Being signed in opens nothing of the Users API, not even the member's own row."""
    user = await api.sign_up()
    member = await api.sign_in()
    for modern in (True, False):
        for path in ("/v1/users", f"/v1/users/{user['$id']}"):
            answer = await api.call("GET", path, headers=member, modern=modern)
            assert (answer.status, answer.data["type"]) == (401, "general_unauthorized_scope")


async def test_making_a_user(api: Api, pool: Pool):
    """A user made by key signs in with the password; both eras show it their way and never a hash."""
    server = await api_keys.key(pool)
    body = {"userId": "ann", "email": "Ann@Example.com", "password": "correct horse", "name": "Ann"}
    made = await api.call("POST", "/v1/users", headers=server, json=body, modern=True)
    assert made.status == 201
    assert made.data | {"password": "", "hash": "", "hashOptions": {}, "phone": "", "status": True} == made.data
    assert (made.data["$id"], made.data["email"], made.data["name"]) == ("ann", "ann@example.com", "Ann")
    assert made.data["emailVerification"] is False
    legacy = await api.call("GET", "/v1/users/ann", headers=server)
    assert legacy.status == 200
    assert list(legacy.data) == [
        "$id", "name", "registration", "status", "passwordUpdate", "email", "emailVerification", "prefs",
    ]  # fmt: skip
    assert (await api.call("GET", "/v1/users/ann", headers=server, modern=True)).data == made.data
    await api.sign_in()
    assert (await api.call("GET", "/v1/account", headers=await api.sign_in())).data == legacy.data


async def test_little_makes_a_user(api: Api, pool: Pool):
    """Address, password and name may be missing; such a user can't sign in with a password."""
    server = await api_keys.key(pool)
    made = await api.call("POST", "/v1/users", headers=server, json={"userId": "unique()"}, modern=True)
    assert (made.status, made.data["email"], made.data["passwordUpdate"]) == (201, "", "")
    assert len(made.data["$id"]) == 20
    await api.call("POST", "/v1/users", headers=server, json={"email": "ann@example.com"})
    refused = await api.call(
        "POST", "/v1/account/sessions", json={"email": "ann@example.com", "password": "correct horse"}
    )
    assert refused.data["type"] == "user_invalid_credentials"


async def test_a_number_is_kept(api: Api, pool: Pool):
    """Not proved at first; none, null and "" are no number, and another form is refused."""
    server, given = await api_keys.key(pool), {"userId": "ann", "email": "ann@example.com"}
    made = await api.call("POST", "/v1/users", headers=server, json=given | {"phone": "+12025550123"}, modern=True)
    assert (made.status, made.data["phone"], made.data["phoneVerification"]) == (201, "+12025550123", False)
    for number, empty in enumerate((None, "")):
        body = {"userId": f"user{number}", "phone": empty}
        assert (await api.call("POST", "/v1/users", headers=server, json=body, modern=True)).data["phone"] == ""
    refused = await api.call("POST", "/v1/users", headers=server, json={"phone": "202 555 0123"}, modern=True)
    assert (refused.status, refused.data["type"]) == (400, "general_argument_invalid")


@pytest.mark.parametrize("body", [{"userId": "ann"}, {"email": "ANN@example.com"}])
async def test_taken_is_taken(api: Api, pool: Pool, body):
    """An id or an address belongs to one user; the second is told so."""
    server = await api_keys.key(pool)
    first = {"userId": "ann", "email": "ann@example.com"}
    assert (await api.call("POST", "/v1/users", headers=server, json=first)).status == 201
    again = await api.call("POST", "/v1/users", headers=server, json={"email": "b@example.com"} | body)
    assert (again.status, again.data["type"]) == (409, "user_already_exists")


@pytest.mark.parametrize(
    "body",
    [
        {"userId": "../x"}, {"userId": "a" * 37}, {"userId": 7}, {"email": "nobody"}, {"email": ["a@example.com"]},
        {"password": "short"}, {"password": "x" * 257}, {"name": "x" * 129}, {"name": "a\0b"}, {"name": {"$ne": 1}},
    ],
)  # fmt: skip
async def test_malformed_users(api: Api, pool: Pool, body):
    """A malformed user is refused before anything is written, in both API versions."""
    server = await api_keys.key(pool)
    for modern in (True, False):
        answer = await api.call("POST", "/v1/users", headers=server, json=body, modern=modern)
        assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert not await pool.fetch("select * from users")


async def test_mass_assignment(api: Api, pool: Pool):
    """A body sets what its route names and nothing else (S43)."""
    server = await api_keys.key(pool)
    planted = {
        "$id": "evil", "emailVerification": True, "status": False, "labels": ["admin"], "registration": 1,
        "prefs": {"a": 1}, "hash": "argon2", "password_hash": "x", "passwordUpdate": 1, "project_id": "other",
        "email_version": 9, "mfa": True,
    }  # fmt: skip
    made = await api.call(
        "POST", "/v1/users", headers=server, json={"userId": "ann", "email": "ann@example.com"} | planted, modern=True
    )
    before = made.data
    assert before["$id"] == "ann"
    assert (before["status"], before["emailVerification"], before["labels"], before["prefs"]) == (True, False, [], {})
    rename = {"name": "Ann"} | planted | {"email": "evil@example.com", "password": "evil horse"}
    after = await api.call("PATCH", "/v1/users/ann/name", headers=server, json=rename, modern=True)
    moved = {"$updatedAt": after.data["$updatedAt"], "targets": after.data["targets"]}
    assert after.data == before | {"name": "Ann"} | moved
    assert after.data["targets"][0]["identifier"] == "ann@example.com"


async def test_nobody_and_nonsense(api: Api, pool: Pool):
    """An unknown id is 404 and an impossible one 400, on every route that takes one, with the era's words."""
    server = await api_keys.key(pool)
    for route in _ROUTES:
        if "{userId}" in route.paths[0] and RouteNotFound not in route.contract.raises:
            unknown = await api.call(route.method, _path(route, "nobody"), headers=server, json=_BODY, modern=True)
            assert (unknown.status, unknown.data["type"]) == (404, "user_not_found"), route.name
            for text in ("a%00b", "%ff", "-x", "a" * 37, "a%2f..%2fb", "%27;--"):
                odd = await api.call(route.method, _path(route, text), headers=server, json=_BODY)
                assert odd.status == 400, (route.name, text)


async def test_deleting_a_user(api: Api, pool: Pool):
    """Deleted is gone: the row, its sessions, links and waiting mails. The log stays and the address is free."""
    server = await api_keys.key(pool)
    user = await api.sign_up()
    member = await api.sign_in()
    url = {"url": "http://localhost/x"}
    await api.call("POST", "/v1/account/verification", json=url, headers=member)
    await api.call("POST", "/v1/account/recovery", json=url | {"email": "ann@example.com"})
    await api.call("POST", "/v1/account/sessions/magic-url", json=url | {"email": "ann@example.com"})
    answer = await api.call("DELETE", f"/v1/users/{user['$id']}", headers=server)
    assert (answer.status, answer.data) == (204, "")
    left = "select id from users union all select id from sessions union all select id from tokens"
    assert not await pool.fetch(left)
    assert [tuple(row) for row in await pool.fetch("select letter, state from mails where user_id is not null")] == [
        ("verification", "cancelled")
    ]
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
    assert (await api.call("GET", f"/v1/users/{user['$id']}", headers=server)).status == 404
    events = [row["name"] for row in await pool.fetch("select name from events where user_id = $1", user["$id"])]
    assert "users.delete" in events
    assert "account.create" in events
    assert (await api.sign_up())["$id"] != user["$id"]


async def test_the_identities_of_users_are_no_user(api: Api, pool: Pool):
    """`GET /v1/users/identities` is an empty list, also where a user has that word as its id."""
    key = await api_keys.key(pool)
    made = {"userId": "identities", "email": "ann@example.com"}
    assert (await api.call("POST", "/v1/users", headers=key, modern=True, json=made)).status == 201
    answer = await api.call("GET", "/v1/users/identities", headers=key, modern=True)
    assert (answer.status, answer.data) == (200, {"total": 0, "identities": []})
    legacy = await api.call("GET", "/v1/users/identities", headers=key)
    assert legacy.data == {"sum": 0, "identities": []}
