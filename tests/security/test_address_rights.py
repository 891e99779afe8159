"""An address is kept by who has proved it; nobody else ends what is mailed to it, or acts after the end (S67, S68)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from service.clientinfo import user_agents
from service.crypto.secret import Secret
from service.db import Pool
from service.http.routing import ROUTES
from service.settings import Settings
from service.store import security_log
from service.store.events import Event
from service.store.security_log import Entry
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api, cookie_of
from testkit.authenticator import Authenticator
from testkit.factors import AUTHENTICATOR, CHALLENGES, PATH, App, Person
from testkit.factors import RECOVERY as RECOVERY_CODES
from testkit.outbox import claim as claim_mail
from testkit.passkeys import PATH as PASSKEYS
from testkit.passkeys import add, begin, switch_on
from testkit.proofs import ANN, WAYS, Post, use
from testkit.targets import PATH as TARGETS
from testkit.targets import path as target_path
from testkit.targets import register
from tests.security.test_takeover import login, waiting

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
RECOVERY, VERIFICATION, _, MAGIC_URL, _, CODE, *_ = WAYS
PASSWORD, OWN = "correct horse", "my own horse"


async def delete(api: Api, pool: Pool, member: dict[str, str], user_id: str) -> Any:
    return await api.call("DELETE", "/v1/account", json={}, headers=member)


async def block(api: Api, pool: Pool, member: dict[str, str], user_id: str) -> Any:
    return await api.call("PATCH", "/v1/account/status", json={}, headers=member)


async def be_blocked(api: Api, pool: Pool, member: dict[str, str], user_id: str) -> Any:
    path = f"/v1/users/{user_id}/status"
    return await api.call("PATCH", path, json={"status": False}, headers=await api_keys.key(pool))


async def sign_up(api: Api, pool: Pool, post: Post) -> int:
    return (await api.call("POST", "/v1/account", json={"email": ANN, "password": OWN})).status


async def sign_in_by_link(api: Api, pool: Pool, post: Post) -> int:
    return (await use(api, MAGIC_URL, await post.issue(Kind.MAGIC_URL, "anns.own"))).status


async def sign_in_by_code(api: Api, pool: Pool, post: Post) -> int:
    return (await use(api, CODE, await post.issue(Kind.OTP, "anns.own"))).status


async def be_made(api: Api, pool: Pool, post: Post) -> int:
    body = {"userId": "anns.own", "email": ANN}
    return (await api.call("POST", "/v1/users", json=body, headers=await api_keys.key(pool), modern=True)).status


async def move(api: Api, pool: Pool, post: Post) -> int:
    await api.sign_up("ann.before@example.com")
    member = await api.sign_in("ann.before@example.com")
    body = {"email": ANN, "password": PASSWORD}
    return (await api.call("PATCH", "/v1/account/email", json=body, headers=member)).status


async def change_password(api: Api, pool: Pool, member: dict[str, str], user_id: str) -> Any:
    body = {"password": "a strangers new horse", "oldPassword": PASSWORD}
    return await api.call("PATCH", "/v1/account/password", json=body, headers=member)


async def change_email(api: Api, pool: Pool, member: dict[str, str], user_id: str) -> Any:
    body = {"password": PASSWORD, "email": "strange@example.com"}
    return await api.call("PATCH", "/v1/account/email", json=body, headers=member)


# Status of each act where it succeeds, and where the address is another account's.
DONE = {
    delete: 204, block: 200, be_blocked: 200, change_password: 200, change_email: 200,
    sign_up: 201, sign_in_by_link: 201, sign_in_by_code: 201, be_made: 201, move: 200,
}  # fmt: skip
TAKEN = {sign_up: 409, be_made: 409, move: 400}
ENDS = pytest.mark.parametrize("end", [delete, block, be_blocked])
TAKES = pytest.mark.parametrize("take", [sign_up, sign_in_by_link, sign_in_by_code, be_made, move])


@ENDS
@TAKES
async def test_s68_a_blocked_account_keeps_no_unproved_address(api: Api, pool: Pool, post: Post, end: Any, take: Any):
    """Signed up with by a stranger, never proved, deleted or blocked: its owner gets it by every way there is.

    The blocked account has no address from then on, and gets none back by being let in again.
    """
    stranger = (await api.sign_up(ANN))["$id"]
    assert (await end(api, pool, await api.sign_in(), stranger)).status == DONE[end]
    assert await take(api, pool, post) == DONE[take]
    server = await api_keys.key(pool)
    await api.call("PATCH", f"/v1/users/{stranger}/status", json={"status": True}, headers=server)
    rows = await pool.fetch("select id = $1, email, status from users order by id = $1", stranger)
    assert [tuple(row) for row in rows][-1] == (True, None, "active")
    assert rows[0]["email"] == ANN
    assert len(rows) == 2


async def be_confirmed(api: Api, post: Post, user_id: str) -> None:
    """The mailbox's reader opens the link that a stranger had asked for, without the stranger's session."""
    proof = await post.issue(Kind.VERIFICATION, user_id)
    assert (await use(api, VERIFICATION, proof)).status == 200


@pytest.mark.parametrize("end", [delete, block])
@TAKES
async def test_s68_a_stranger_keeps_no_address_that_its_reader_confirmed(
    api: Api, pool: Pool, post: Post, end: Any, take: Any
):
    """The reader's proof is none of the stranger's: an account that is ended by who never proved anything frees it."""
    stranger = (await api.sign_up(ANN))["$id"]
    await be_confirmed(api, post, stranger)
    assert (await end(api, pool, await api.sign_in(), stranger)).status == DONE[end]
    assert await take(api, pool, post) == DONE[take]
    assert (await pool.fetchrow("select email from users where id = $1", stranger))[0] is None


@ENDS
@pytest.mark.parametrize("take", [sign_up, be_made, move])
async def test_a_blocked_account_keeps_a_proved_address(api: Api, pool: Pool, post: Post, end: Any, take: Any):
    """Nobody takes a deleted account over by its address; its links are of no use either."""
    user_id = (await api.sign_up(ANN))["$id"]
    await pool.execute("update users set email_verified = true")
    assert (await end(api, pool, await api.sign_in(), user_id)).status == DONE[end]
    assert await take(api, pool, post) == TAKEN[take]
    assert await sign_in_by_link(api, pool, post) == 401
    assert (await pool.fetchrow("select email from users where id = $1", user_id))[0] == ANN


async def test_an_unproved_address_that_nobody_wants_comes_back_with_its_account(api: Api, pool: Pool):
    """An operator who blocks by mistake, and lets the user in again, has taken nothing away."""
    user_id = (await api.sign_up(ANN))["$id"]
    member = await api.sign_in()
    await be_blocked(api, pool, member, user_id)
    server = await api_keys.key(pool)
    await api.call("PATCH", f"/v1/users/{user_id}/status", json={"status": True}, headers=server)
    assert (await api.call("GET", "/v1/account", headers=member)).data["email"] == ANN


@ENDS
@pytest.mark.parametrize("kind", [Kind.MAGIC_URL, Kind.OTP])
async def test_mail_to_an_address_that_is_nobodys_is_sent(
    api: Api, pool: Pool, settings: Settings, end: Any, kind: Kind
):
    """The worker sees no account behind an unproved address of a blocked one; behind a proved one it does."""
    user_id = (await api.sign_up(ANN))["$id"]
    await end(api, pool, await api.sign_in(), user_id)
    route = {Kind.MAGIC_URL: "/v1/account/tokens/magic-url", Kind.OTP: "/v1/account/tokens/email"}[kind]
    body = {"userId": "unique()", "email": ANN}
    for verified, seen in ((False, None), (True, user_id)):
        await pool.execute("update users set email_verified = $1", verified)
        assert (await api.call("POST", route, json=body)).status == 201
        mail = (await pool.fetchrow("select id from mails order by created_at desc limit 1"))[0]
        claim = await claim_mail(pool, mail, worker="w", lease=30)
        assert claim
        assert claim.user_id == seen


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("act", [change_password, change_email, delete, block])
async def test_s68_a_stranger_ends_no_link_that_the_mailbox_has(
    api: Api, pool: Pool, post: Post, act: Any, confirmed: bool
):
    """A client that signed up with an unproved address acts: the owner's link and code to sign in stay good.

    A link to sign up and one of a recovery are the owner's too, as long as there is the account that it is for. A
    proof by who reads the mailbox makes no owner of the stranger.
    """
    stranger = (await api.sign_up(ANN))["$id"]
    if confirmed:
        await be_confirmed(api, post, stranger)
    member = await api.sign_in()
    proofs = [(way, await post.issue(way.kind, stranger, asked_as="anns.own")) for way in (RECOVERY, MAGIC_URL, CODE)]
    assert (await act(api, pool, member, stranger)).status == DONE[act]
    left = {row[0] for row in await pool.fetch("select id from tokens")}
    kept = proofs if act is change_password else proofs[1:]
    assert {proof.id for _, proof in kept} <= left
    way, proof = kept[0]
    assert (await use(api, way, proof)).status == way.status
    assert (await api.call("GET", "/v1/account", headers=member)).status in ((200,) if act is change_email else (401,))
    owner = (await pool.fetchrow("select id, email_verified from users where email = $1", ANN))[:]
    assert owner == ((stranger, True) if act is change_password else ("anns.own", True))


@pytest.mark.parametrize("with_session", [True, False])
async def test_s68_a_proof_by_who_has_no_session_is_no_consent(api: Api, pool: Pool, post: Post, with_session: bool):
    """A link opened in a browser without the account's session proves the address and ends nothing.

    But when the mailbox's reader comes in by mail, sessions and password of before end, for they may be a stranger's.
    Who showed the session with the proof keeps them.
    """
    ann = (await api.sign_up(ANN))["$id"]
    member = await api.sign_in()
    shown = {"headers": member} if with_session else {}
    assert (await use(api, VERIFICATION, await post.issue(Kind.VERIFICATION, ann), **shown)).status == 200
    assert (await api.call("GET", "/v1/account", headers=member)).data["emailVerification"] is True
    assert await login(api, ANN) == 201, "whoever signed up signs in, wherever the link was opened"
    answer = await use(api, MAGIC_URL, await post.issue(Kind.MAGIC_URL, ann))
    assert answer.status == 201
    assert (await api.call("GET", "/v1/account", headers=member)).status == (200 if with_session else 401)
    assert await login(api, ANN) == (201 if with_session else 401)
    mine = {"Cookie": cookie_of(answer)}
    chosen = {"password": OWN, "oldPassword": PASSWORD if with_session else None}
    assert (await api.call("PATCH", "/v1/account/password", json=chosen, headers=mine)).status == 200
    assert (await use(api, MAGIC_URL, await post.issue(Kind.MAGIC_URL, ann))).status == 201
    assert await login(api, ANN, OWN) == 201, "once is enough: the owner is alone from then on"


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("confirmed", [False, True])
async def test_s68_a_stranger_does_not_see_from_where_the_owner_acts(
    api: Api, pool: Pool, post: Post, confirmed: bool, modern: bool
):
    """The owner's address in the network and browser stand in no log that whoever signed up with the mailbox reads.

    A server that holds a key sees them, and so does who has proved the mailbox.
    """
    stranger = (await api.sign_up(ANN))["$id"]
    member = await api.sign_in()
    if confirmed:
        await be_confirmed(api, post, stranger)
    done = (Event.RECOVERY_CREATE, Event.VERIFICATION_UPDATE, Event.SESSION_CREATE)
    now = datetime.now(UTC)
    entries = [Entry("shop", uuid4(), stranger, name.value, "192.0.2.7", now, "--") for name in done]
    await security_log.write(pool, [(entry, user_agents.parse("")) for entry in entries])

    async def seen(path: str, headers: dict[str, str]) -> set[str]:
        answer = await api.call("GET", path, headers=headers, modern=modern)
        assert answer.data.get("total", len(answer.data["logs"])) == len(answer.data["logs"])
        return {row["event"] for row in answer.data["logs"]}

    everything = await seen(f"/v1/users/{stranger}/logs", await api_keys.key(pool))
    assert len(everything) == 3
    assert len(await seen("/v1/account/logs", member)) == 1
    assert (await use(api, VERIFICATION, await post.issue(Kind.VERIFICATION, stranger), headers=member)).status == 200
    assert await seen("/v1/account/logs", member) == everything


async def test_s68_another_accounts_session_is_no_consent(api: Api, pool: Pool, post: Post):
    """The prover is signed in, but to another account than the one that the link is for."""
    ann = (await api.sign_up(ANN))["$id"]
    await api.sign_up("bob@example.com")
    bob = await api.sign_in("bob@example.com")
    assert (await use(api, VERIFICATION, await post.issue(Kind.VERIFICATION, ann), headers=bob)).status == 200
    assert (await pool.fetchrow("select proved_by_holder from users where id = $1", ann))[0] is False


URL = {"url": "http://localhost/there"}
# Of each route: its method, a path, a body.
WRITES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("update_name", "PATCH", "/v1/account/name", {"name": "Eve"}),
    ("update_prefs", "PATCH", "/v1/account/prefs", {"prefs": {"theme": "dark"}}),
    ("update_password", "PATCH", "/v1/account/password", {"password": "a thiefs own horse", "oldPassword": PASSWORD}),
    ("update_email", "PATCH", "/v1/account/email", {"email": "eve@evil.example.com", "password": PASSWORD}),
    ("update_status", "PATCH", "/v1/account/status", {}),
    ("delete_account", "DELETE", "/v1/account", {}),
    ("create_verification", "POST", "/v1/account/verification", URL),
    ("create_verification_otp", "POST", "/v1/account/verifications/email/otp", {}),
    ("update_session", "PATCH", "/v1/account/sessions/current", {}),
    ("delete_session", "DELETE", "/v1/account/sessions/{other}", {}),
    ("delete_sessions", "DELETE", "/v1/account/sessions", {}),
    ("delete_sessions", "DELETE", "/v1/account/sessions", {"current": False}),
    ("update_mfa", "PATCH", PATH, {"mfa": True}),
    ("create_mfa_authenticator", "POST", AUTHENTICATOR, {}),
    ("update_mfa_authenticator", "PUT", AUTHENTICATOR, {}),
    ("delete_mfa_authenticator", "DELETE", AUTHENTICATOR, {}),
    ("create_mfa_recovery_codes", "POST", RECOVERY_CODES, {}),
    ("update_mfa_recovery_codes", "PATCH", RECOVERY_CODES, {}),
    ("create_mfa_challenge", "POST", CHALLENGES, {"factor": "email"}),
    ("update_mfa_challenge", "PUT", CHALLENGES, {}),
    ("create_passkey", "POST", PASSKEYS, {"passkeyId": "new"}),
    ("update_passkey_verification", "PUT", f"{PASSKEYS}/new/verification", {}),
    ("update_passkey", "PATCH", f"{PASSKEYS}/phone", {"name": "Key"}),
    ("delete_passkey", "DELETE", f"{PASSKEYS}/phone", {}),
    ("create_push_target", "POST", TARGETS, {"targetId": "new", "identifier": "new"}),
    ("update_push_target", "PUT", target_path("phone"), {"identifier": "new"}),
    ("delete_push_target", "DELETE", target_path("phone"), {}),
)


async def pending_app(person: Person) -> dict[str, Any]:
    made = await person.call("POST", AUTHENTICATOR)
    return {"otp": await App(person.pool, Secret(made.data["secret"])).code()}


async def app_of(person: Person) -> dict[str, Any]:
    await person.enrol()
    return {}


async def codes_of(person: Person) -> dict[str, Any]:
    await person.enrol()
    assert (await person.call("POST", RECOVERY_CODES)).status == 201
    return {}


async def challenge_of(person: Person) -> dict[str, Any]:
    app = await person.enrol()
    return {"challengeId": await person.challenge("totp"), "otp": await app.unused()}


async def pending_passkey(person: Person) -> dict[str, Any]:
    await switch_on(person.api, person.pool)
    begun = await begin(person, passkeyId="new")
    credential, _ = Authenticator().create(begun["publicKey"])
    return {"credential": credential}


async def passkey_of(person: Person) -> dict[str, Any]:
    await switch_on(person.api, person.pool)
    await add(person, passkeyId="phone")
    return {"name": "Key"}


async def target_of(person: Person) -> dict[str, Any]:
    """Register a device that is bound to no session: it does not end with the one that acts."""
    assert (await register(person, "phone", "token")).status == 201
    await person.pool.execute("update targets set session_id = null")
    return {"identifier": "new"}


# What the member must have before, and what more the body holds then.
PREPARED: dict[str, Callable[[Person], Awaitable[dict[str, Any]]]] = {
    "update_mfa_authenticator": pending_app, "delete_mfa_authenticator": app_of,
    "update_mfa_recovery_codes": codes_of, "update_mfa_challenge": challenge_of,
    "create_passkey": passkey_of, "update_passkey_verification": pending_passkey, "update_passkey": passkey_of,
    "delete_passkey": passkey_of, "update_push_target": target_of, "delete_push_target": target_of,
}  # fmt: skip
# Routes of members that write nothing of the account: a JWT is signed, the others are not served.
WRITE_NOTHING = {"create_jwt", "delete_identity", "delete_consent", "delete_consent_token"}


@pytest.mark.parametrize("by_jwt", [False, True])
@pytest.mark.parametrize(("name", "method", "path", "body"), WRITES)
async def test_s67_a_session_that_ends_meanwhile_acts_no_more(  # noqa: PLR0917 - pytest passes them by name
    api: Api, pool: Pool, name: str, method: str, path: str, body: dict[str, Any], by_jwt: bool
):
    """Every write of a member waits for the account's row while that session is ended: it changes nothing."""
    await api.sign_up(ANN)
    await pool.execute("update users set email_verified = $1", name == "create_mfa_challenge")
    stolen = await api.sign_in()
    if name in PREPARED:
        body = await PREPARED[name](Person(api, pool, stolen))
    session = (await api.call("GET", "/v1/account/sessions/current", headers=stolen)).data["$id"]
    await api.sign_in()
    other = (await pool.fetchrow("select id from sessions where id <> $1", session))[0]
    if by_jwt:
        stolen = {"X-Appwrite-JWT": (await api.call("POST", "/v1/account/jwt", headers=stolen)).data["jwt"]}
    before = await state(pool)
    async with pool.connection() as held, held.transaction():
        await held.execute("select 1 from users for update")
        late = asyncio.create_task(api.call(method, path.format(other=other), json=body, headers=stolen))
        await waiting(pool)
        await held.execute("delete from sessions where id = $1", session)
    answer = await late
    assert (answer.status, answer.data["type"]) == (401, "general_unauthorized_scope")
    before["sessions"] = [row for row in before["sessions"] if row["id"] == other]
    assert await state(pool) == before


def test_every_write_of_a_member_is_held_against_it():
    """A new route that writes for a member gets a row in the table above."""
    routes = {route.name for route in ROUTES if route.access == "member" and route.method != "GET"}
    assert routes - WRITE_NOTHING - {route for route in routes if "phone" in route} == {name for name, *_ in WRITES}


async def state(pool: Pool) -> dict[str, list[Any]]:
    tables = ("users", "sessions", "tokens", "mails", "events", "authenticators", "recovery_codes", "passkeys",
              "targets")  # fmt: skip
    return {table: await pool.fetch(f"select * from {table} order by 1, 2, 3") for table in tables}
