"""Other spellings of what we serve: HEAD for GET, slashes too many, another name of one's own machine."""

import pytest
from yarl import URL

from service.app import routes
from service.db import Pool
from service.links import redirect_policy
from service.settings import Settings
from testkit import edge
from testkit.api import Api
from testkit.proofs import WAYS, Post, use

LOGIN = {"email": "ann@example.com", "password": "correct horse"}
# Each says when it was made: no two answers have the same.
OF_THE_MOMENT = (
    "date", "x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit", "transfer-encoding"
)  # fmt: skip


@pytest.fixture
def post(pool: Pool, settings: Settings) -> Post:
    return Post(pool, settings)


def raw_url(api: Api, path: str) -> URL:
    """As it stands, which the client's library would tidy."""
    return URL(f"{api.client.make_url('/')}".rstrip("/") + path, encoded=True)


@pytest.mark.parametrize("path", sorted({path for route in routes() if route.method == "GET" for path in route.paths}))
async def test_head_is_get_without_a_body(api: Api, path: str):
    """Every path that may be got may be asked for its head: status and headers are the same, its length too."""
    user = await api.sign_up()
    member = await api.sign_in()
    path = path.replace("{userId}", user["$id"]).replace("{sessionId}", "current")
    for headers in ({}, member):
        got = await api.call("GET", path, headers=headers)
        head = await api.call("HEAD", path, headers=headers)
        assert head.status == got.status
        assert await head.read() == b""
        same = {name: value for name, value in got.headers.items() if name.lower() not in OF_THE_MOMENT}
        assert {name: value for name, value in head.headers.items() if name.lower() not in OF_THE_MOMENT} == same
        # An answer that is written while it is read has no length to tell.
        assert int(head.headers.get("Content-Length", 0)) == (len(await got.read()) if got.content_length else 0)


async def test_head_of_a_mailed_link_uses_nothing_up(api: Api, post: Post):
    """A HEAD request for a link does not use it up: the page's button still works."""
    user = await api.sign_up()
    for way in WAYS:
        proof = await post.issue(way.kind, user["$id"])
        # `GET /v1/account/sessions/{sessionId}` has the paths of the sign-ins, and is for members.
        own = 401 if way.path.startswith("/v1/account/sessions/") else 405
        pages = [(page, 303) for page in ("/auth/verification", "/auth/magic-url", "/auth/recovery")]
        for path, status in (*pages, (way.path, own)):
            link = f"{path}?userId={proof.user_id}&secret={proof.secret}&project=shop"
            assert (await api.call("HEAD", link, allow_redirects=False)).status == status
        assert (await use(api, way, proof)).status == way.status


async def test_405_names_head_beside_get(api: Api):
    """A path says all that it answers to."""
    answer = await api.call("PUT", "/v1/account")
    assert (answer.status, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, POST")
    assert (await api.call("HEAD", "/v1/account/recovery")).status == 405


@pytest.mark.parametrize("path", ["//v1/account", "/v1//account", "/v1///account", "///v1//account"])
async def test_a_slash_too_many_is_the_same_route(api: Api, path: str):
    """A client's endpoint may end in a slash: same guards, same limits, same answer, same Allow."""
    await api.sign_up()
    member, url = await api.sign_in(), raw_url(api, path)
    assert (await api.client.session.get(url, headers=member | {"X-Appwrite-Project": "shop"})).status == 200
    assert (await api.client.session.get(url, headers={"X-Appwrite-Project": "shop"})).status == 401
    assert (await api.client.session.get(url, headers=member)).status == 400
    foreign = {"X-Appwrite-Project": "shop", "Origin": "https://evil.test"}
    assert (await api.client.session.delete(url, headers=member | foreign)).status == 403
    answer = await api.client.session.put(url, headers=member)
    assert (answer.status, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, POST")
    preflight = await api.client.session.options(url, headers=foreign)
    assert preflight.status == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/v1/account/sessions/"), ("DELETE", "/v1/account/sessions//"), ("DELETE", "/v1/account//sessions"),
     ("DELETE", "/v1/account/"), ("DELETE", "/v1/account//"), ("GET", "/account"), ("GET", "//account"),
     ("GET", "//evil.test/v1/account"), ("GET", "/V1/account"), ("GET", "/v1/%2Faccount"), ("GET", "/v1%2F/account"),
     ("GET", "/v1"), ("GET", "/v1/"), ("GET", "/v1//")],
)  # fmt: skip
async def test_an_empty_id_is_not_everything(api: Api, pool: Pool, method: str, path: str):
    """One session whose id is empty is not all sessions: behind the endpoint a slash too many is another path."""
    await api.sign_up()
    member = await api.sign_in()
    url, headers = raw_url(api, path), member | {"X-Appwrite-Project": "shop"}
    assert (await api.client.session.request(method, url, headers=headers)).status == 404
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 1


async def test_a_pages_form_goes_to_ourselves(api: Api, post: Post):
    """A link with a slash too many leads to this server: `//auth/…` would be a server called auth."""
    user = await api.sign_up()
    proof = await post.issue(WAYS[1].kind, user["$id"])
    link = f"//auth/verification?userId={proof.user_id}&secret={proof.secret}&project=shop"
    answer = await edge.ask(api.client.port, f"GET {link} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert answer.status == 303
    assert answer.headers["location"] == "/auth/verification?project=shop"


@pytest.mark.parametrize(
    ("origin", "found"),
    [("http://localhost:3000", 201), ("http://127.0.0.1:3000", 201), ("http://[::1]:3000", 201),
     ("http://shop.localhost:3000", 201), ("http://127.0.0.2:3000", 403), ("http://[::ffff:127.0.0.1]", 403),
     ("http://0.0.0.0:3000", 403), ("http://localhost.evil.test", 403), ("http://127.0.0.1.evil.test", 403),
     ("http://alocalhost", 403)],
)  # fmt: skip
async def test_localhost_is_the_visitors_own_machine(api: Api, origin: str, found: int):
    """A listed `localhost` covers 127.0.0.1, [::1] and its subdomains: pages may act, and links may lead there."""
    await api.sign_up()
    answer = await api.call("POST", "/v1/account/sessions", json=LOGIN, headers={"Origin": origin})
    assert answer.status == found
    asked = {"email": LOGIN["email"], "url": f"{origin}/reset"}
    assert (await api.call("POST", "/v1/account/recovery", json=asked)).status == (201 if found == 201 else 400)


@pytest.mark.parametrize("listed", ["app.example.com", "*.localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_another_machine_is_not_localhost(listed: str):
    """Without a listed `localhost` nothing of it is allowed; 127.0.0.1 and [::1] alone stand for themselves."""
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert redirect_policy.host_allowed(host, [listed]) is (listed in ("LOCALHOST", host))
