"""Mailed secrets: guessed, replayed, used elsewhere, too late, or after what should have ended them (S12 to S20)."""

import asyncio
from typing import Any

import pytest
from aiohttp import DummyCookieJar

from service.app import make
from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api, cookie_of
from testkit.proofs import ANN, OTHER_ROUTES, WAYS, Post, Proof, Way, use
from tests.security.test_known_device import mark_of

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
RECOVERY, VERIFICATION, _, MAGIC_URL, _, CODE, VERIFICATION_CODE, RECOVERY_CODE, *_ = WAYS
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.kind} {way.method} {way.path}")


def wrong(proof: Proof) -> dict[str, str]:
    """Another secret of the same form, for the same token."""
    return {"secret": proof.secret[:-1] + ("1" if proof.secret[-1] != "1" else "2")}


@each_way
async def test_s12_the_sixth_guess_is_too_late(api: Api, ann: str, post: Post, way: Way):
    """Five wrong guesses kill a token, three a recovery's code: the right secret opens nothing any more."""
    proof = await post.issue(way.kind, ann)
    for _ in range(way.guesses):
        assert (await use(api, way, proof, body=wrong(proof))).status == 401
    assert (await use(api, way, proof)).status == 401


@each_way
async def test_s12_parallel_guesses_are_all_counted(api: Api, pool: Pool, ann: str, post: Post, way: Way):
    """Of a hundred guesses at once five are looked at (of a recovery's code three), as the counter says exactly.

    Who waits too long comes again.
    """
    proof = await post.issue(way.kind, ann)
    answers = await asyncio.gather(*(use(api, way, proof, body=wrong(proof)) for _ in range(100)))
    assert {401} <= {answer.status for answer in answers} <= {401, 503}
    assert (await pool.fetchrow("select attempts from tokens"))[0] == way.guesses
    assert (await use(api, way, proof)).status == 401


async def test_s12_a_code_is_guessed_for_three_people_at_most(api: Api, pool: Pool, post: Post):
    """Codes asked for under one id for many addresses: a guess is held against the newest three, not against all."""
    for number in range(10):
        await post.issue(Kind.OTP, "", email=f"p{number}@example.com", asked_as="group")
    body = {"userId": "group", "secret": "none"}
    assert (await api.call("POST", "/v1/account/sessions/token", json=body)).status == 401
    counted = [row[0] for row in await pool.fetch("select attempts from tokens order by created_at desc, id desc")]
    assert counted == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]


async def test_s12_a_right_secret_costs_no_attempt_when_the_password_is_refused(api: Api, ann: str, post: Post):
    """The holder of a link may choose a bad password as often as it takes to find a good one."""
    proof = await post.issue(Kind.RECOVERY, ann)
    same = {"password": "ann@example.com", "passwordAgain": "ann@example.com"}
    for _ in range(6):
        answer = await use(api, RECOVERY, proof, body=same)
        assert (answer.status, answer.data["type"]) == (400, "password_personal_data")
    assert (await use(api, RECOVERY, proof)).status == 200


@each_way
async def test_s14_a_secret_works_once(aiohttp_client: Any, api: Api, ann: str, post: Post, way: Way):
    """After its use a secret is nothing, in this process as in one that has just been started."""
    proof = await post.issue(way.kind, ann)
    assert (await use(api, way, proof)).status == way.status
    restarted = Api(await aiohttp_client(make(post.settings)))
    for service in (api, restarted):
        answer = await use(service, way, proof)
        assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")


@pytest.mark.parametrize("kind", list(Kind))
async def test_s15_a_secret_is_for_one_kind_of_route_and_one_project(api: Api, pool: Pool, post: Post, kind: Kind):
    """Every kind on every route in both projects: all but its own are an invalid token, and it is good afterwards."""
    users = {"shop": (await api.sign_up(ANN))["$id"]}
    await projects.create(pool, "other", name="Other")
    elsewhere = {"X-Appwrite-Project": "other"}
    body = {"userId": users["shop"], "email": ANN, "password": "correct horse"}
    assert (await api.call("POST", "/v1/account", json=body, headers=elsewhere, modern=True)).status == 201
    proof = await post.issue(kind, users["shop"])
    own = [way.path for way in WAYS if way.kind is kind] + OTHER_ROUTES.get(kind, [])
    for way in WAYS:
        for headers in ({}, elsewhere):
            if way.path not in own or headers:
                answer = await use(api, way, proof, headers=headers)
                assert (answer.status, answer.data["type"]) == (401, "user_invalid_token"), (way, headers)
            await pool.execute("update tokens set attempts = 0")
    for way in WAYS:
        if way.kind is kind:
            assert (await use(api, way, await post.issue(kind, users["shop"]))).status == way.status


@each_way
async def test_s15_a_secret_is_for_one_user(api: Api, pool: Pool, ann: str, post: Post, way: Way):
    """Under another user's id it opens nothing, and nothing of that user."""
    bob = (await api.sign_up("bob@example.com"))["$id"]
    proof = await post.issue(way.kind, ann)
    assert (await use(api, way, proof, body={"userId": bob})).status == 401
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 0
    await pool.execute("update tokens set attempts = 0")
    assert (await use(api, way, proof)).status == way.status


@each_way
@pytest.mark.parametrize("left", [-1, 0, 30])
async def test_s16_the_database_says_when_it_is_too_late(api: Api, ann: str, post: Post, way: Way, left: int):
    """A second past its end, or at its end, a secret is nothing; before it is good. What a link says plays no part."""
    proof = await post.issue(way.kind, ann)
    await post.pool.execute("update tokens set expires_at = now() + make_interval(secs => $1)", left)
    answer = await use(api, way, proof, body={"expire": "9999999999"})
    assert answer.status == (way.status if left > 0 else 401)


async def change_password(api: Api, pool: Pool, member: dict[str, str], ann: str) -> Any:
    body = {"password": "a new password", "oldPassword": "correct horse"}
    return await api.call("PATCH", "/v1/account/password", json=body, headers=member)


async def change_email(api: Api, pool: Pool, member: dict[str, str], ann: str) -> Any:
    body = {"email": "new@example.com", "password": "correct horse"}
    return await api.call("PATCH", "/v1/account/email", json=body, headers=member)


async def recover(api: Api, pool: Pool, member: dict[str, str], ann: str) -> Any:
    proof = await Post(pool, api.settings).issue(Kind.RECOVERY, ann)
    return await use(api, RECOVERY, proof)


async def verify(api: Api, pool: Pool, member: dict[str, str], ann: str) -> Any:
    proof = await Post(pool, api.settings).issue(Kind.VERIFICATION, ann)
    return await use(api, VERIFICATION, proof)


async def sign_in_by_link(api: Api, pool: Pool, member: dict[str, str], ann: str) -> Any:
    proof = await Post(pool, api.settings).issue(Kind.MAGIC_URL, ann)
    return await use(api, MAGIC_URL, proof)


async def block(api: Api, pool: Pool, member: dict[str, str], ann: str) -> Any:
    return await api.call("PATCH", "/v1/account/status", json={}, headers=member)


async def delete(api: Api, pool: Pool, member: dict[str, str], ann: str) -> Any:
    return await api.call("DELETE", "/v1/account", json={}, headers=member)


def by_operator(method: str, word: str, body: dict[str, Any] | None = None) -> Any:
    async def act(api: Api, pool: Pool, member: dict[str, str], ann: str) -> Any:
        return await api.call(method, f"/v1/users/{ann}{word}", json=body or {}, headers=await api_keys.key(pool))

    return act


ENDS = {
    "password": (change_password, 200),
    "email": (change_email, 200),
    "recovery": (recover, 200),
    "verification": (verify, 200),
    "magic url": (sign_in_by_link, 201),
    "block": (block, 200),
    "delete": (delete, 204),
    "operator's password": (by_operator("PATCH", "/password", {"password": "a new password"}), 200),
    "operator's email": (by_operator("PATCH", "/email", {"email": "new@example.com"}), 200),
    "operator's block": (by_operator("PATCH", "/status", {"status": False}), 200),
    "operator's delete": (by_operator("DELETE", ""), 204),
    "proof taken back": (by_operator("PATCH", "/verification", {"emailVerification": False}), 200),
}


@pytest.mark.parametrize(("end", "status"), ENDS.values(), ids=ENDS)
async def test_s17_everything_that_ends_tokens_ends_all(  # noqa: PLR0917 - pytest passes names
    api: Api, pool: Pool, settings: Settings, ann: str, end: Any, status: int
):
    """A use, a new password or address, a block, a deletion: no secret of any kind that was under way works."""
    api.settings = settings
    post = Post(pool, settings)
    await pool.execute("update users set email_verified = true")
    member = await api.sign_in()
    proofs = [await post.issue(way.kind, ann) for way in WAYS]
    answer = await end(api, pool, member, ann)
    assert answer.status == status, answer.data
    users = (await pool.fetchrow("select count(*) from users"))[0]
    for way, proof in zip(WAYS, proofs, strict=True):
        found = await use(api, way, proof)
        assert (found.status, found.data["type"]) == (401, "user_invalid_token"), way
    assert (await pool.fetchrow("select count(*) from users"))[0] == users


@pytest.mark.parametrize("way", [*WAYS[:3], VERIFICATION_CODE, RECOVERY_CODE], ids=lambda way: way.path)
async def test_s18_a_secret_for_an_earlier_address_proves_nothing(api: Api, pool: Pool, ann: str, post: Post, way: Way):
    """Even one that nobody has killed: it was mailed to another address than the user's."""
    proof = await post.issue(way.kind, ann)
    await pool.execute("update users set email = 'new@example.com', email_version = 2")
    assert (await use(api, way, proof)).status == 401
    assert tuple(await pool.fetchrow("select email, email_verified from users")) == ("new@example.com", False)


@each_way
async def test_s20_a_step_can_not_be_skipped(api: Api, ann: str, post: Post, way: Way):
    """A secret that is missing, empty or no text is a bad parameter: never a fault, never let through."""
    proof = await post.issue(way.kind, ann)
    for secret in (None, "", [], {}, 5, True, ["a"], {"$ne": None}):
        for modern in (False, True):
            answer = await use(api, way, proof, body={"secret": secret}, modern=modern)
            assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid"), (secret, modern)


@each_way
async def test_a_rotated_key_opens_what_it_made(  # noqa: PLR0917 - pytest passes them by name
    aiohttp_client: Any, api: Api, pool: Pool, ann: str, monkeypatch: pytest.MonkeyPatch, way: Way
):
    """With a new key in front the old one's links still open, and new ones are the new key's; alone it opens none."""
    old, new = "old:" + "6f1c9d2e8b3a4750" * 4, "new:" + "d84c02b7e15f963a" * 4

    async def serve(keys: str) -> tuple[Api, Post]:
        monkeypatch.setenv("SECRET_KEYS", keys)
        settings = Settings.read()
        return Api(await aiohttp_client(make(settings))), Post(pool, settings)

    _, before = await serve(old)
    both, during = await serve(f"{new},{old}")
    after, _ = await serve(new)
    proof = await before.issue(way.kind, ann)
    assert (await use(after, way, proof)).status == 401
    assert (await use(both, way, proof)).status == way.status
    proof = await during.issue(way.kind, ann)
    assert (await pool.fetchrow("select kid from tokens"))[0] == "new"
    assert (await use(after, way, proof)).status == way.status


async def test_what_a_rotation_ends(aiohttp_client: Any, api: Api, ann: str, monkeypatch: pytest.MonkeyPatch):
    """A session outlives every key; JWTs and marks of devices live as long as theirs is kept.

    Windows begin anew at once. Links and codes are the rule above.
    """
    old, new = "old:" + "6f1c9d2e8b3a4750" * 4, "new:" + "d84c02b7e15f963a" * 4

    async def serve(keys: str) -> Api:
        monkeypatch.setenv("SECRET_KEYS", keys)
        return Api(await aiohttp_client(make(Settings.read()), cookie_jar=DummyCookieJar()))

    before, both, after = await serve(old), await serve(f"{new},{old}"), await serve(new)
    login, guess = ({"email": ANN, "password": password} for password in ("correct horse", "a wrong horse"))
    opened = await before.call("POST", "/v1/account/sessions", json=login)
    member, mark = {"Cookie": cookie_of(opened)}, {"Cookie": mark_of(opened)}
    jwt = {"X-Appwrite-JWT": (await before.call("POST", "/v1/account/jwt", headers=member)).data["jwt"]}

    async def left(api: Api, headers: dict[str, str]) -> str:
        answer = await api.call("POST", "/v1/account/sessions", json=guess, headers=headers)
        return answer.headers["X-RateLimit-Remaining"]

    assert [await left(before, {}), await left(before, {}), await left(before, mark)] == ["99", "98", "9"]
    assert [(await each.call("GET", "/v1/account", headers=member)).status for each in (both, after)] == [200, 200]
    assert [(await each.call("GET", "/v1/account", headers=jwt)).status for each in (both, after)] == [200, 401]
    assert await left(both, {}) == "99", "a window of the new key's"
    assert await left(both, mark) == "9", "the device is known still"
    assert await left(after, mark) == "98", "a stranger among strangers"


async def test_s22_who_asks_is_told_no_row(api: Api, pool: Pool):
    """The id in the answer names no row: who did not get the mail can aim a guess at nothing."""
    asked = [
        ("/v1/account/recovery", {"email": ANN, "url": "http://localhost/"}),
        ("/v1/account/sessions/magic-url", {"email": ANN, "url": "http://localhost/"}),
        ("/v1/account/tokens/email", {"email": ANN, "userId": "unique()"}),
    ]
    for path, body in asked:
        answer = await api.call("POST", path, json=body)
        assert answer.status == 201
        assert len(answer.data["$id"]) == 20
        assert await pool.fetchrow("select 1 from tokens where id = $1", answer.data["$id"]) is None
    assert (await pool.fetchrow("select count(*) from tokens"))[0] == len(asked)


async def test_a_code_for_a_blocked_account_is_guessed_at_like_any(api: Api, pool: Pool, settings: Settings, ann: str):
    """Blocked or not, a wrong code and a right one meet the same row; only the right one is told of the block."""
    await pool.execute("update users set email_verified = true")
    await api.call("PATCH", "/v1/account/status", json={}, headers=await api.sign_in())
    proof = await Post(pool, settings).issue(Kind.OTP, ann)
    guess = await use(api, CODE, proof, body=wrong(proof))
    assert (guess.status, guess.data["type"]) == (401, "user_invalid_token")
    right = await use(api, CODE, proof, modern=True)
    assert (right.status, right.data["type"]) == (403, "user_blocked")
