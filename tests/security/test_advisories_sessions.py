"""Sessions of others that outlived their end, and cookies that broke what read them."""

import pytest

from service.db import Pool
from service.store.tokens import Kind
from testkit import edge
from testkit.api import Api
from testkit.api_keys import key
from testkit.proofs import WAYS, Post, use

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
RECOVERY, _, _, MAGIC_URL, _, CODE, *_ = WAYS


async def status(api: Api, headers: dict[str, str]) -> int:
    return (await api.call("GET", "/v1/account", headers=headers)).status


@pytest.mark.advisory("GHSA-2vg6-77g8-24mp")
async def test_a_reset_ends_sessions(api: Api, ann: str, post: Post):
    """The class of: whoever was in before a password reset stays in. Here a recovery ends every session."""
    thief = await api.sign_in()
    assert (await use(api, RECOVERY, await post.issue(Kind.RECOVERY, ann))).status == 200
    assert await status(api, thief) == 401


@pytest.mark.advisory("CVE-2026-81826")
async def test_a_deleted_account_has_no_sessions(api: Api, pool: Pool, ann: str):
    """The class of: a session that works although its account was deleted. Here it is a guest's, whoever deleted it."""
    member = await api.sign_in()
    assert (await api.call("DELETE", f"/v1/users/{ann}", headers=await key(pool))).status == 204
    assert await status(api, member) == 401
    await api.sign_up("bob@example.com")
    other = await api.sign_in("bob@example.com")
    assert (await api.call("DELETE", "/v1/account", headers=other)).status == 204
    assert await status(api, other) == 401


@pytest.mark.advisory("CVE-2026-97056")
async def test_a_jwt_ends_with_its_session(api: Api, ann: str):
    """The class of: a bearer token that is good after the logout, until it expires. Here the session is looked up."""
    member = await api.sign_in()
    jwt = (await api.call("POST", "/v1/account/jwt", headers=member)).data["jwt"]
    bearer = {"X-Appwrite-JWT": jwt}
    assert await status(api, bearer) == 200
    assert (await api.call("DELETE", "/v1/account/sessions/current", headers=member)).status == 204
    assert await status(api, bearer) == 401


@pytest.mark.advisory("CVE-2026-123528")
async def test_links_end_with_a_new_password(api: Api, pool: Pool, ann: str, post: Post):
    """The class of: a reset link that survives the change of the password. Here every kind of link dies with it.

    Of an owner who has proved the address: who only wrote it down ends no link that its mailbox got.
    """
    await pool.execute("update users set email_verified = true where id = $1", ann)
    proofs = [(way, await post.issue(way.kind, ann)) for way in (RECOVERY, MAGIC_URL, CODE)]
    body = {"password": "another horse", "oldPassword": "correct horse"}
    assert (await api.call("PATCH", "/v1/account/password", json=body, headers=await api.sign_in())).status == 200
    for way, proof in proofs:
        assert (await use(api, way, proof)).status == 401


@pytest.mark.advisory("django-allauth is_active")
async def test_nobody_blocked_gets_in(api: Api, pool: Pool, ann: str, post: Post):
    """django-allauth let deactivated users in by other ways than the password. Here no way is open, and none stays.

    An address that the blocked user had not proved is free for its owner, who gets an account of their own.
    """
    await pool.execute("update users set email_verified = true where id = $1", ann)
    member = await api.sign_in()
    jwt = {"X-Appwrite-JWT": (await api.call("POST", "/v1/account/jwt", headers=member)).data["jwt"]}
    body = {"status": False}
    answer = await api.call("PATCH", f"/v1/users/{ann}/status", json=body, headers=await key(pool), modern=True)
    assert answer.status == 200
    assert [await status(api, member), await status(api, jwt)] == [401, 401]
    for way in (RECOVERY, MAGIC_URL, CODE):
        answer = await use(api, way, await post.issue(way.kind, ann))
        assert answer.status == 401, way
    login = {"email": "ann@example.com", "password": "correct horse"}
    assert (await api.call("POST", "/v1/account/sessions", json=login)).status == 401


JUNK = ["%", "%ff", "e30=", "bnVsbA==", "W10=", '{"id":1}', "=" * 400, "a" * 7000, "eyJpZCI6WzFdfQ=="]


@pytest.mark.advisory("GHSA-xmf8-cvqr-rfgj")
@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: ascii(junk)[:24])
async def test_junk_for_a_session_is_a_guest(api: Api, junk: str):
    """The class of: a malformed session that raises where nobody expects it. Here it is a guest's 401."""
    for headers in ({"Cookie": f"a_session_shop={junk}"}, {"X-Appwrite-Session": junk}):
        assert await status(api, headers) == 401


@pytest.mark.advisory("CVE-2025-69230")
async def test_bad_cookies_fill_no_log(api: Api):
    """A line was written by aiohttp for every malformed cookie of a header: a log storm. Here a request is one line."""
    with edge.lines() as log:
        cookie = "; ".join(f'bad{number}="\\{number}[]={{}}' for number in range(400))
        assert await status(api, {"Cookie": cookie[:7000]}) == 401
    assert len(log.getvalue().splitlines()) <= 2


@pytest.mark.advisory("CVE-2026-25748")
async def test_a_cookie_changes_nothing_it_stands_beside(api: Api, ann: str):
    """The class of: one malformed cookie that hides or breaks the session's. Here the session is found among junk."""
    member = (await api.sign_in())["Cookie"]
    for before in ("a=b=c", "=x", "x", '"', "a_session_shopx=1", "A_SESSION_OTHER=%"):
        assert await status(api, {"Cookie": f"{before}; {member}"}) == 200, before
    assert await status(api, {"Cookie": f"theme=dark; {member}; last=1"}) == 200
