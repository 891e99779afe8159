"""Sign-up by invitation: who gets in by a code or by an invited address, and what the server that invites sees."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import projects, token_lookups, token_secrets
from service.store.tokens import Kind
from testkit.api import Api, kind
from testkit.api_keys import key
from testkit.proofs import Post
from testkit.visitor import AGAIN, HOME, SESSIONS, Visitor, change_project, parameters

ANN, BOB, NUMBER = "ann@example.com", "bob@example.org", "+4915112345678"
CLOSED = (501, "user_auth_method_unsupported")
TOKEN = "/v1/account/sessions/token"


@pytest.fixture
async def invited(api: Api, pool: Pool) -> Api:
    """A project that takes an invitation, with an account of Ann."""
    await api.sign_up(ANN)
    await projects.set_limit(pool, "shop", rule="create_account.ip", numbers=[])
    await change_project(api, sign_up="invitation")
    return api


async def invite(api: Api, pool: Pool, **body: Any) -> dict[str, Any]:
    answer = await api.call("POST", "/v1/invitations", json=body, headers=await key(pool), modern=True)
    assert answer.status == 201, answer.data
    return answer.data


async def users(pool: Pool) -> list[str]:
    return [row[0] or row[1] or "" for row in await pool.fetch("select email, phone from users order by email")]


async def uses(pool: Pool) -> list[int]:
    return [row[0] for row in await pool.fetch("select uses from invitations order by id")]


async def sign_up(api: Api, email: str, code: str | None) -> tuple[int, str]:
    headers = {} if code is None else {"X-Invitation": code}
    body = {"email": email, "password": "correct horse"}
    return kind(await api.call("POST", "/v1/account", json=body, headers=headers))


async def test_a_code_makes_as_many_accounts_as_it_says(invited: Api, pool: Pool):
    """As people type it; a refused sign-up costs no use, and every code that is not good is answered as none is."""
    code = (await invite(invited, pool, uses=2))["code"]
    assert (await sign_up(invited, BOB, code.upper().replace("-", " ")))[0] == 201
    assert await sign_up(invited, ANN, code) == (409, "user_already_exists")
    assert await uses(pool) == [1]
    assert (await sign_up(invited, "carl@example.com", code))[0] == 201
    old = (await invite(invited, pool))["code"]
    await pool.execute("update invitations set expires_at = now() where uses = 0")
    for wrong in (None, "", "x", "0" * 25, code, old):
        for email in (ANN, "dora@example.com"):
            assert await sign_up(invited, email, wrong) == CLOSED, (wrong, email)
    await change_project(invited, sign_up="closed")
    assert await sign_up(invited, "dora@example.com", (await invite(invited, pool))["code"]) == CLOSED
    assert await users(pool) == [ANN, BOB, "carl@example.com"]


async def test_of_twenty_at_once_a_code_for_one_makes_one_account(invited: Api, pool: Pool):
    """The others are refused, and leave nothing."""
    headers = {"X-Invitation": (await invite(invited, pool))["code"]}
    guests = (invited.call("POST", "/v1/account/sessions/anonymous", json={}, headers=headers) for _ in range(20))
    assert sorted(map(kind, await asyncio.gather(*guests))) == [(201, ""), *[CLOSED] * 19]
    assert (len(await users(pool)), await uses(pool)) == (2, [1])


async def test_a_code_is_good_for_every_way_that_makes_an_account(invited: Api, pool: Pool):
    """A guest, a mailed link, a mailed code and a number: the request shows it, and the account uses it up."""
    code = (await invite(invited, pool, uses=4))["code"]
    await pool.execute("update projects set mock_phones = $1", {NUMBER: "111111"})
    headers = {"X-Invitation": code}
    guest = await invited.call("POST", "/v1/account/sessions/anonymous", json={}, headers=headers)
    assert (guest.status, await uses(pool)) == (201, [1])
    asked = [
        ("/v1/account/tokens/magic-url", {"userId": "link", "email": BOB}),
        ("/v1/account/tokens/email", {"userId": "code", "email": "carl@example.com"}),
    ]
    for path, body in asked:
        assert (await invited.call("POST", path, json=body, headers=headers)).status == 201
    assert await uses(pool) == [1], "a request that has made no account yet is no use"
    assert {row[0] for row in await pool.fetch("select invitation_id is null from tokens")} == {False}


async def test_a_mailed_link_makes_an_account_with_its_own_invitation_alone(
    invited: Api, pool: Pool, settings: Settings
):
    """One that was asked for without a code opens an account that is there, and makes none; revoked is without."""
    made, post = await invite(invited, pool, uses=3), Post(pool, settings)

    async def enter(each: Kind, address: str, *, by_code: bool) -> tuple[int, str]:
        token = await post.issue(each, "someone", email=address)
        if by_code:
            await pool.execute("update tokens set invitation_id = $1 where id = $2", made["$id"], token.id)
        return kind(await invited.call("POST", TOKEN, json={"userId": token.user_id, "secret": token.secret}))

    refused = (401, "user_invalid_token")
    for each, address in ((Kind.MAGIC_URL, BOB), (Kind.OTP, "carl@example.com"), (Kind.PHONE_LOGIN, NUMBER)):
        assert await enter(each, address, by_code=False) == refused, each
        assert (await enter(each, address, by_code=True))[0] == 201, each
        assert (await enter(each, address, by_code=False))[0] == 201, each
    assert (await enter(Kind.MAGIC_URL, ANN, by_code=True))[0] == 201
    assert await uses(pool) == [3], "who had an account before has used none"
    assert await enter(Kind.OTP, "dora@example.com", by_code=True) == refused
    await pool.execute("delete from invitations")
    assert await enter(Kind.OTP, "dora@example.com", by_code=True) == refused


async def test_a_provider_makes_an_account_for_who_is_invited(visitor: Visitor, pool: Pool):
    """By a code that came with the start, from an app's server, or by the address that the provider has verified."""
    api, provider = visitor.api, visitor.provider
    await change_project(api, sign_up="invitation")
    code = (await invite(api, pool))["code"]

    async def enters(name: str, code: str = "") -> bool:
        provider.user |= {"sub": name, "email": f"{name}@example.net"}
        browser, start = Visitor(api, provider), f"{SESSIONS}/oidc?project=shop&success={HOME}&failure={AGAIN}"
        started = await browser.get(start, headers={"X-Invitation": code} if code else {})
        back = await provider.sign_in(started.headers["Location"])
        ended = await browser.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode(back)}")
        return "error" not in parameters(ended)

    await invite(api, pool, email="bob@example.net")
    assert [await enters("bob"), await enters("carl"), await enters("carl", code)] == [True, False, True]
    assert [await enters("dora", code), await enters("carl"), await enters("bob")] == [False, True, True]
    assert await uses(pool) == [1, 1]


async def test_a_browser_keeps_a_code_on_its_way_to_a_provider(visitor: Visitor, pool: Pool):
    """In a cookie of its own, for a navigation has no header; a code that is not good is not kept."""
    await change_project(visitor.api, sign_up="invitation")
    code = (await invite(visitor.api, pool))["code"]
    for wrong in ("x", "0" * 25):
        refused = await visitor.request("PUT", "/v1/account/invitation", headers={"X-Invitation": wrong}, modern=True)
        assert kind(refused) == CLOSED
    kept = await visitor.request("PUT", "/v1/account/invitation", headers={"X-Invitation": code}, modern=True)
    assert (kept.status, visitor.cookies.keys()) == (204, {"invitation_shop"})
    assert "error" not in parameters(await visitor.sign_in())
    assert (await uses(pool), (await visitor.account())["email"]) == ([1], ANN)


async def test_an_invited_address_signs_up_by_its_mailbox(invited: Api, pool: Pool, settings: Settings):
    """Whoever reads it needs no code. Its name alone opens nothing: not with a password, nor for another address."""
    await invite(invited, pool, email=BOB)
    assert await sign_up(invited, BOB, None) == CLOSED
    for address, status in ((ANN, 201), ("carl@example.com", 401), (BOB, 201)):
        token = await Post(pool, settings).issue(Kind.OTP, "someone", email=address)
        body = {"userId": token.user_id, "secret": token.secret}
        assert (await invited.call("POST", TOKEN, json=body)).status == status, address
    assert (await users(pool), await uses(pool)) == ([ANN, BOB], [1])


async def test_a_private_sign_up_uses_the_invitation_when_it_makes_the_account(
    invited: Api, pool: Pool, settings: Settings
):
    """The answers are the same for everybody with the code, and the same refusal without it."""
    await change_project(invited, private_signup=True)
    code = (await invite(invited, pool, uses=1))["code"]
    for email in (ANN, BOB):
        assert await sign_up(invited, email, None) == CLOSED
        assert (await sign_up(invited, email, code))[0] == 201
    assert await uses(pool) == [0]
    ((token_id, asked_as),) = await pool.fetch("select id, asked_as from tokens where email = $1", BOB)
    token = await token_lookups.find_live(pool, "shop", kind=Kind.VERIFICATION, token_id=token_id)
    assert token is not None
    secret = token_secrets.secret_of(settings.key_ring, token)
    body = {"userId": asked_as, "secret": secret, "password": "another horse"}
    assert (await invited.call("PUT", "/v1/account/verification", json=body)).status == 200
    assert (await users(pool), await uses(pool)) == ([ANN, BOB], [1])


async def test_unknown_codes_are_braked_and_known_ones_are_not(invited: Api, pool: Pool):
    """The brake is the network's own; requests without a code don't feel it, nor do servers with a key."""
    code = (await invite(invited, pool, uses=9))["code"]
    await projects.set_limit(pool, "shop", rule="invitations.network", numbers=[3, 3600])
    await change_project(invited, sign_up="invitation")

    async def ask(typed: str | None, **headers: str) -> int:
        shown = {} if typed is None else {"X-Invitation": typed}
        body = {"userId": "unique()", "email": ANN}
        path = "/v1/account/tokens/email"
        return (await invited.call("POST", path, json=body, headers=shown | headers, modern=True)).status

    assert [await ask(code) for _ in range(4)] == [201] * 4
    assert [await ask("wrong") for _ in range(4)] == [201, 201, 201, 429]
    assert [await ask(code), await ask(None)] == [429, 201]
    assert await ask("wrong", **(await key(pool, "sessions.write"))) == 201


async def test_a_server_makes_lists_and_revokes_invitations(invited: Api, pool: Pool):
    """The code is in one answer only, and the database has a hash; a new invitation of an address replaces its last."""
    server = await key(pool)
    made = await invite(invited, pool, uses=20, expire=3600, note="Conference")
    assert (made["uses"], made["maxUses"], made["note"], made["email"], len(made["code"])) == (
        0, 20, "Conference", "", 29
    )  # fmt: skip
    first, second = [await invite(invited, pool, email=BOB) for _ in range(2)]
    page = await invited.call("GET", "/v1/invitations?limit=1", headers=server, modern=True)
    assert page.data == {"invitations": [second], "cursor": second["$id"]}
    page = await invited.call("GET", f"/v1/invitations?after={second['$id']}", headers=server, modern=True)
    assert page.data == {"invitations": [made | {"code": ""}], "cursor": ""}
    kept = str(await pool.fetch("select * from invitations"))
    assert made["code"] not in kept
    assert made["code"].replace("-", "") not in kept
    path = f"/v1/invitations/{made['$id']}"
    assert [(await invited.call("DELETE", path, headers=server)).status for _ in range(2)] == [204, 404]
    assert await sign_up(invited, "carl@example.com", made["code"]) == CLOSED
    assert first["$id"] != second["$id"]


@pytest.mark.parametrize(
    "body", [{"uses": 0}, {"uses": 10_001}, {"expire": 59}, {"email": BOB, "uses": 2}, {"email": "x"}, {"note": "\0"}]
)
async def test_bad_invitations_are_refused(invited: Api, pool: Pool, body: dict[str, Any]):
    """With the parameter named; an address that has an account is a conflict."""
    server = await key(pool)
    answer = await invited.call("POST", "/v1/invitations", json=body, headers=server)
    assert kind(answer) == (400, "general_argument_invalid")
    taken = await invited.call("POST", "/v1/invitations", json={"email": ANN}, headers=server)
    assert kind(taken) == (409, "user_already_exists")
    for query in ("limit=0", "limit=101", "limit=x", "after=%00", "after=A"):
        assert (await invited.call("GET", f"/v1/invitations?{query}", headers=server)).status == 400, query
    reader = await key(pool, "users.read")
    assert kind(await invited.call("POST", "/v1/invitations", json={}, headers=reader))[0] == 401
