"""Checks before a handler, one by one (docs/contract.md#order-of-checks): quick, so that mutation runs can use them."""

import pytest

from service.db import Pool
from service.http import session_cookies
from service.settings import Settings
from service.store import projects
from testkit import api_keys, edge
from testkit.api import Api, cookie_of

EVIL = {"Origin": "https://evil.test"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
both = pytest.mark.parametrize("modern", [False, True])


async def _member(api: Api) -> dict[str, str]:
    """Make the header of a new anonymous member."""
    answer = await api.call("POST", "/v1/account/sessions/anonymous", json={})
    assert answer.status == 201, answer.data
    return {"Cookie": cookie_of(answer)}


async def _refusal(api: Api, method: str, path: str, headers: dict[str, str], *, modern: bool, **kwargs) -> str:
    """Return the refusal's type, "" if there is none."""
    answer = await api.call(method, path, headers=headers, modern=modern, **kwargs)
    return answer.data["type"] if answer.status >= 400 else ""


@both
async def test_a_request_names_its_project(api: Api, modern: bool):
    """In the header, the query or a write's body: the same one wherever it stands, and no empty one."""
    path, none = "/v1/account/sessions/anonymous", {"X-Appwrite-Project": None}
    empty = {"X-Appwrite-Project": ""}
    for headers, query, body, refusal in (
        ({}, "", {}, ""),
        ({}, "?project=shop", {}, ""),
        ({}, "?project=other", {}, "general_argument_invalid"),
        (none, "?project=shop", {}, ""),
        (none, "?project=shop&project=other", {}, "general_argument_invalid"),
        (none, "", {"project": "shop"}, ""),
        (empty, "", {"project": "shop"}, ""),
        (none, "", {"project": 1}, "project_not_found"),
        (none, "", {}, "project_not_found"),
        ({"X-Appwrite-Project": "other"}, "", {"project": "shop"}, "project_not_found"),
    ):
        assert await _refusal(api, "POST", path + query, headers, modern=modern, json=body) == refusal
    read = await _refusal(api, "GET", "/v1/account", none, modern=modern, json={"project": "shop"})
    assert read == "project_not_found", "a read has no body"


async def test_a_project_may_speak_modern(api: Api, pool: Pool):
    """A request that names no version gets the project's own."""
    assert await _refusal(api, "GET", "/v1/account", EVIL, modern=False) != "general_unknown_origin"
    await projects.create(pool, "new", name="New")
    await projects.change(pool, "new", modern_by_default=True)
    headers = EVIL | {"X-Appwrite-Project": "new"}
    assert await _refusal(api, "GET", "/v1/account", headers, modern=False) == "general_unknown_origin"


@both
async def test_origins_of_reads_and_writes(api: Api, modern: bool):
    """Modern judges reads too. A legacy write without Origin is judged by its Referer."""
    member = await _member(api)
    read = await _refusal(api, "GET", "/v1/account", member | EVIL, modern=modern)
    assert read == ("general_unknown_origin" if modern else "")
    linked = {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.test/page"}
    assert await _refusal(api, "GET", "/v1/account", member | linked, modern=modern) == "", "any page may link here"
    for headers, fine in (
        ({}, True),
        ({"Origin": "http://localhost:3000"}, True),
        ({"Origin": "HTTPS://LocalHost"}, True),
        (EVIL, False),
        ({"Origin": "null"}, False),
        ({"Origin": "localhost"}, False),
        ({"Referer": "https://evil.test/page"}, modern),
        ({"Referer": "http://localhost/page"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"}, True),
        (EVIL | {"X-Appwrite-Key": "made-up"}, False),
    ):
        found = await _refusal(api, "PATCH", "/v1/account/prefs", member | headers, modern=modern, json={"prefs": {}})
        assert found == ("" if fine else "general_unknown_origin"), headers


@both
async def test_a_form_without_origin(api: Api, modern: bool):
    """Beside a cookie it may be another site's; without one it proves nothing and is let through, as is JSON."""
    member, path = await _member(api), "/v1/account/name"
    assert await _refusal(api, "PATCH", path, member | FORM, modern=modern, data="name=A") == "general_unknown_origin"
    assert await _refusal(api, "PATCH", path, FORM, modern=modern, data="name=A") == "general_unauthorized_scope"
    assert await _refusal(api, "PATCH", path, member, modern=modern, json={"name": "A"}) == ""
    assert await _refusal(api, "DELETE", "/v1/account/sessions", member, modern=modern) == ""


@both
async def test_a_form_of_our_own_page(api: Api, modern: bool):
    """A mailed link's page is confirmed by a form, beside whatever cookies the browser holds."""
    headers, proof = await _member(api) | FORM, f"userId=ann&secret={'0' * 256}"
    answer = await api.call("POST", "/auth/verification", headers=headers, modern=modern, data=proof)
    assert (answer.status, answer.content_type) == (401, "text/html"), "of the secret"


@both
async def test_the_services_own_origin(api: Api, pool: Pool, modern: bool):
    """Pages at PUBLIC_URL may act for a project that lists no page at all."""
    await projects.create(pool, "bare", name="Bare")
    for origin, fine in (("http://localhost:8080", True), ("https://app.example.com", False), ("null", False)):
        headers = {"X-Appwrite-Project": "bare", "Origin": origin}
        found = await _refusal(api, "POST", "/v1/account/sessions/anonymous", headers, modern=modern, json={})
        assert found == ("" if fine else "general_unknown_origin"), origin


@both
async def test_a_servers_origin_is_free(api: Api, pool: Pool, modern: bool):
    """A real key alone proves a server; beside a cookie, of another project or without its project it proves none."""
    key, body = await api_keys.key(pool), {"userId": "unique()", "email": f"ann{modern}@example.com"}
    assert await _refusal(api, "POST", "/v1/users", key | EVIL, modern=modern, json=body) == ""
    refused = key | EVIL | {"Cookie": "theme=dark"}
    assert await _refusal(api, "POST", "/v1/users", refused, modern=modern, json=body) == "general_unknown_origin"
    unknown = key | EVIL | {"X-Appwrite-Project": "nobody"}
    first = "general_unknown_origin" if modern else "project_not_found"
    assert await _refusal(api, "POST", "/v1/users", unknown, modern=modern, json=body) == first


async def test_apps_and_hosts(api: Api, pool: Pool):
    """An app's id counts for the SDKs' schemes, an app's origin for itself; only a host may have a port."""
    for app in ("com.example.app", "capacitor://shop.app"):
        await projects.add_app(pool, "shop", app=app)
    await projects.add_platform(pool, "shop", hostname="web.example.com")
    for origin, fine in (
        ("appwrite-ios://com.example.app", True),
        ("appwrite-ios://COM.example.app", True),
        ("capacitor://shop.app", True),
        ("https://web.example.com:3000", True),
        ("CAPACITOR://shop.app", True),
        ("appwrite-ios://com.example.app:80", False),
        ("appwrite-ios://com.example.other", False),
        ("ios://com.example.app", False),
        ("appwrite-ios://shop.app", False),
        ("no address", False),
        ("null", False),
    ):
        found = await _refusal(api, "GET", "/v1/account", {"Origin": origin}, modern=True)
        assert found == ("general_unauthorized_scope" if fine else "general_unknown_origin"), origin


@both
async def test_keys_and_their_scopes(api: Api, pool: Pool, modern: bool):
    """The refusal names the scope that was missing, and of which caller."""
    key = await api_keys.key(pool, "users.read")
    assert await _refusal(api, "GET", "/v1/users", key, modern=modern) == ""
    (key_id,) = await pool.fetchrow("select id from api_keys")
    write = await api.call("POST", "/v1/users", headers=key, modern=modern, json={})
    assert (write.status, write.data["message"]) == (401, f'app.{key_id} missing scopes (["users.write"])')
    guest = await api.call("GET", "/v1/users", modern=modern)
    assert (guest.status, guest.data["message"]) == (401, 'User (role: guests) missing scopes (["users.read"])')
    for path in ("/v1/account", "/v1/account/sessions"):
        assert await _refusal(api, "GET", path, {}, modern=modern) == "general_unauthorized_scope"
        assert await _refusal(api, "GET", path, key, modern=modern) == "general_unauthorized_scope"
    for secret in ("", "é", "made-up"):
        odd = {"X-Appwrite-Key": secret}
        assert await _refusal(api, "GET", "/v1/users", odd, modern=modern) == "general_unauthorized_scope"
    expired = await api_keys.key(pool, days=-1)
    assert await _refusal(api, "GET", "/v1/users", expired, modern=modern) == "project_key_expired"


async def test_a_key_that_is_no_text(settings: Settings, project: projects.Project):
    """Any bytes may stand in a header; those that are no key's are nobody's."""
    head = b"GET /v1/users HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\nX-Appwrite-Key: \xff\r\n\r\n"
    async with edge.edge(settings) as port:
        told = await edge.ask(port, head)
    assert (told.status, told.data["type"]) == (401, "general_unauthorized_scope")


@both
async def test_a_key_on_account_routes(api: Api, pool: Pool, modern: bool):
    """Legacy: a member's key is ignored, and a key alone opens none. Modern: a key replaces the member.

    A member's route is never a key's, whatever scopes its row names.
    """
    key, member = await api_keys.key(pool, "sessions.write", "users.read"), await _member(api)
    anonymous = "/v1/account/sessions/anonymous"
    alone = await _refusal(api, "POST", anonymous, key, modern=modern, json={})
    assert alone == ("" if modern else "general_unauthorized_scope")
    together = await _refusal(api, "GET", "/v1/account", member | key, modern=modern)
    assert together == ("general_unauthorized_scope" if modern else "")
    users = await _refusal(api, "GET", "/v1/users", member | key, modern=modern)
    assert users == ("" if modern else "general_unauthorized_scope")
    odd = await api_keys.key(pool, "account")
    assert await _refusal(api, "GET", "/v1/account", odd, modern=modern) == "general_unauthorized_scope"


async def test_the_user_agent_that_a_server_names(api: Api, pool: Pool):
    """A session that a server opens for a browser is that browser's; a client without a key names none."""
    key = await api_keys.key(pool, "sessions.write")
    agent = {"X-Forwarded-User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"}
    for headers, named in ((key | agent, True), (key, False), (agent, False)):
        answer = await api.call("POST", "/v1/account/sessions/anonymous", headers=headers, modern=True, json={})
        assert (answer.data["clientName"] == "Firefox") is named


@both
async def test_a_jwt_beside_a_session(api: Api, modern: bool):
    """Modern refuses the two together where both are good; a JWT that is no good is refused anyway."""
    member = await _member(api)
    jwt = {"X-Appwrite-JWT": (await api.call("POST", "/v1/account/jwt", headers=member)).data["jwt"]}
    assert await _refusal(api, "GET", "/v1/account", jwt, modern=modern) == ""
    assert bool(await _refusal(api, "GET", "/v1/account", member | jwt, modern=modern)) is modern
    stale = {"Cookie": f"a_session_shop={session_cookies.encode('nobody', 'ended')}"}
    assert await _refusal(api, "GET", "/v1/account", stale | jwt, modern=modern) == ""
    assert await _refusal(api, "GET", "/v1/account", {"X-Appwrite-JWT": "a.b.c"}, modern=modern) == "user_jwt_invalid"
    assert await _refusal(api, "POST", "/v1/account/jwt", jwt, modern=modern) != "", "a JWT makes no JWT"


@both
async def test_blocked_and_signed_in(api: Api, pool: Pool, modern: bool):
    """A blocked member is told so. Modern: a member opens no second session, a guest does."""
    member = await _member(api)
    again = await _refusal(api, "POST", "/v1/account/sessions/anonymous", member, modern=True, json={})
    assert again == "user_session_already_exists"
    assert await _refusal(api, "POST", "/v1/account/sessions/anonymous", {}, modern=modern, json={}) == ""
    assert await _refusal(api, "PATCH", "/v1/account/name", member, modern=True, json={"name": "A"}) == ""
    await pool.execute("update users set status = 'blocked'")
    assert await _refusal(api, "GET", "/v1/account", member, modern=modern) == "user_blocked"
