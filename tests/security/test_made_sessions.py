"""Sessions that a mailed code or an app's server has opened, and the second factor of their user (S92 to S95)."""

from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest

from service.db import Pool
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api, cookie_of
from testkit.factors import PATH, RECOVERY, App, Person, signed_in, verified
from testkit.proofs import ANN, WAYS, Post, use
from tests.security.test_known_device import mark_of

pytestmark = pytest.mark.usefixtures("cheap")
GATED = "user_more_factors_required"
BY_KIND = {way.kind: way for way in WAYS}
TOKEN_SESSION = "/v1/account/sessions/token"


@pytest.fixture
async def app(api: Api, pool: Pool) -> App:
    """The authenticator app of Ann, whose address is proved and who is asked for a second factor."""
    person = await verified(api, pool)
    app = await person.enrol()
    assert (await person.call("PATCH", PATH, mfa=True)).status == 200
    return app


async def ann_of(pool: Pool) -> str:
    return str((await pool.fetchrow("select id from users"))[0])


async def by_code(api: Api, pool: Pool, post: Post) -> dict[str, str]:
    answer = await use(api, BY_KIND[Kind.OTP], await post.issue(Kind.OTP, await ann_of(pool)))
    return {"Cookie": cookie_of(answer)}


async def by_token(api: Api, pool: Pool, _post: Post) -> dict[str, str]:
    ann, server = await ann_of(pool), await api_keys.key(pool)
    token = await api.call("POST", f"/v1/users/{ann}/tokens", json={}, headers=server, modern=True)
    body = {"userId": ann, "secret": token.data["secret"]}
    return {"Cookie": cookie_of(await api.call("POST", TOKEN_SESSION, json=body, modern=True))}


async def by_server(api: Api, pool: Pool, _post: Post) -> dict[str, str]:
    made = await api.call(
        "POST", f"/v1/users/{await ann_of(pool)}/sessions", headers=await api_keys.key(pool), modern=True
    )
    return {"X-Appwrite-Session": made.data["secret"]}


async def by_jwt(api: Api, pool: Pool, _post: Post) -> dict[str, str]:
    """Of a session that is opened for it: there is no other."""
    await pool.execute("delete from sessions")
    made = await api.call("POST", f"/v1/users/{await ann_of(pool)}/jwts", headers=await api_keys.key(pool), modern=True)
    return {"X-Appwrite-JWT": made.data["jwt"]}


@pytest.mark.parametrize("enter", [by_code, by_token, by_server, by_jwt])
async def test_s92_no_way_in_spares_the_second_factor(
    api: Api, pool: Pool, post: Post, app: App, enter: Callable[..., Any]
):
    """A session that somebody vouched for has one proof, too: it opens nothing until the app's code comes."""
    person = Person(api, pool, await enter(api, pool, post))
    for method, path in (("GET", "/v1/account"), ("PATCH", PATH), ("POST", RECOVERY), ("GET", "/v1/account/sessions")):
        refused = await person.call(method, path, mfa=False)
        assert (refused.status, refused.data["type"]) == (401, GATED), path
    passed = await person.prove("totp", await app.unused())
    assert (passed.status, passed.data["factors"][1:]) == (200, ["totp"])
    assert (await person.call("GET", "/v1/account")).status == 200


@pytest.mark.parametrize(("enter", "first"), [(by_code, "email"), (by_token, "token"), (by_server, "server")])
async def test_s92_an_opened_session_says_what_was_proved(
    api: Api, pool: Pool, post: Post, enter: Callable[..., Any], first: str
):
    """Without second factors it opens the account; assurance is that of one proof."""
    await verified(api, pool)
    person = Person(api, pool, await enter(api, pool, post))
    session = await person.call("GET", "/v1/account/sessions/current")
    assert (session.status, session.data["factors"], session.data["mfaUpdatedAt"]) == (200, [first], "")
    row = await pool.fetchrow("select first_factor, assurance, mfa_at from sessions where first_factor = $1", first)
    assert tuple(row) == (first, 1, None)


async def test_s92_a_jwt_has_what_its_session_has(api: Api, pool: Pool, app: App):
    """One that stands for a session with a second factor opens the account, as that session does."""
    person = await signed_in(api, pool)
    await person.prove("totp", await app.unused())
    made = await api.call("POST", f"/v1/users/{await ann_of(pool)}/jwts", headers=await api_keys.key(pool), modern=True)
    member = Person(api, pool, {"X-Appwrite-JWT": made.data["jwt"]})
    assert (await member.call("GET", "/v1/account")).status == 200


async def test_s94_a_recovery_by_code_sheds_no_factor(api: Api, pool: Pool, post: Post, app: App):
    """The code and the new password are one mailbox: neither the old sessions nor a new one get past the app."""
    proof = await post.issue(Kind.RECOVERY_OTP, await ann_of(pool), asked_as="invented")
    assert (await use(api, BY_KIND[Kind.RECOVERY_OTP], proof)).status == 200
    thief = await signed_in(api, pool, password="another horse")
    assert (await thief.call("GET", "/v1/account")).data["type"] == GATED
    assert (await thief.prove("totp", await app.unused())).status == 200


async def test_s94_a_recovery_by_code_removes_a_squatters_factors(api: Api, pool: Pool, post: Post):
    """Whoever made an account with another person's address keeps no app, code or switch in it."""
    ann = (await api.sign_up())["$id"]
    squatter = await signed_in(api, pool)
    await squatter.enrol()
    assert (await squatter.call("POST", RECOVERY)).status == 201
    assert (await squatter.call("PATCH", PATH, mfa=True)).status == 200
    assert (await use(api, BY_KIND[Kind.RECOVERY_OTP], await post.issue(Kind.RECOVERY_OTP, ann))).status == 200
    owner = await signed_in(api, pool, password="another horse")
    assert (await owner.call("GET", "/v1/account")).data["mfa"] is False
    left = await pool.fetch("select 1 from authenticators union all select 1 from recovery_codes")
    assert left == []


FROM_HERE = {"X-Forwarded-For": "192.0.2.1"}


async def guess(behind: Api, kind: Kind, user_id: str, secret: str = "000000") -> int:
    way = BY_KIND[kind]
    body = {"userId": user_id, "secret": secret, "password": "another horse"}
    return int((await behind.call(way.method, way.path, json=body, headers=FROM_HERE, modern=True)).status)


async def test_s95_wrong_codes_of_all_routes_count_together(behind: Api, pool: Pool, post: Post):
    """Twenty an hour from a network, whatever they were to open; the next is refused on each of these routes."""
    kinds = (Kind.OTP, Kind.VERIFICATION_OTP, Kind.RECOVERY_OTP, Kind.CUSTOM)
    for number in range(20):
        secret = "abcdef" if kinds[number % 4] is Kind.CUSTOM else "000000"
        assert await guess(behind, kinds[number % 4], f"u{number}", secret) == 401
    assert [await guess(behind, kind, "u30") for kind in kinds] == [429] * 4
    ann = (await behind.sign_up(ANN))["$id"]
    link = await post.issue(Kind.RECOVERY, ann)
    assert (await use(behind, BY_KIND[Kind.RECOVERY], link, headers=FROM_HERE)).status == 200


async def test_s95_a_secret_that_can_not_be_guessed_is_not_braked(behind: Api, pool: Pool):
    """Long custom tokens are no codes: wrong ones count for no network, and a full one keeps none of them out."""
    ann, server = (await behind.sign_up(ANN))["$id"], await api_keys.key(pool)
    for number in range(21):
        assert await guess(behind, Kind.CUSTOM, f"u{number}", token_hex(16)) == 401
    for number in range(20):
        assert await guess(behind, Kind.OTP, f"v{number}") == 401
    assert await guess(behind, Kind.CUSTOM, ann) == 429
    made = await behind.call("POST", f"/v1/users/{ann}/tokens", json={"length": 32}, headers=server, modern=True)
    assert await guess(behind, Kind.CUSTOM, ann, made.data["secret"]) == 201


@pytest.mark.parametrize("proved", [True, False])
async def test_s95_only_the_owners_device_is_spared(behind: Api, pool: Pool, post: Post, proved: bool):
    """A guesser who has signed up with the address of somebody else knows the password, and is braked all the same."""
    ann = (await behind.sign_up(ANN))["$id"]
    await pool.execute("update users set email_verified = $1", proved)
    body = {"email": ANN, "password": "correct horse"}
    mark = mark_of(await behind.call("POST", "/v1/account/sessions", json=body, headers=FROM_HERE))
    for number in range(20):
        assert await guess(behind, Kind.OTP, f"u{number}") == 401
    proof = await post.issue(Kind.RECOVERY_OTP, ann)
    answer = await use(behind, BY_KIND[Kind.RECOVERY_OTP], proof, headers=FROM_HERE | {"Cookie": mark})
    assert answer.status == (200 if proved else 429)
