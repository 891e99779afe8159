"""Passkeys under attack: forged, replayed, moved, planted, taken away (S97 to S99)."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.tokens import Kind
from testkit.api import Api, kind, one_won
from testkit.authenticator import Authenticator, decode, encode
from testkit.factors import PATH as MFA
from testkit.factors import Person, signed_in, verified
from testkit.forms import Page
from testkit.hosted_pages import follow_link
from testkit.passkeys import (
    PATH,
    SESSION,
    TOKENS,
    add,
    begin,
    challenge,
    enter,
    finish,
    forget_projects,
    open_session,
    prove,
    sign,
    switch_on,
)
from testkit.proofs import WAYS, Post, use
from tests.security.test_notices import DONE, link

pytestmark = pytest.mark.usefixtures("cheap")
RECOVER, SIGN_IN, RECOVER_BY_CODE = WAYS[0], WAYS[5], WAYS[7]
INVALID, USED = (401, "user_passkey_invalid"), (401, "user_invalid_token")


@pytest.fixture
async def ann(api: Api, pool: Pool) -> Person:
    await switch_on(api, pool)
    return await verified(api, pool)


# Lies of an authenticator or of a browser, in either ceremony.
LIES: dict[str, dict[str, Any]] = {
    "no user verification": {"verifies": False},
    "no user present": {"present": False},
    "foreign host": {"rp_id": "evil.example"},
    "foreign origin": {"origin": "https://evil.example"},
    "plain http": {"origin": "http://shop.example"},
    "another port": {"origin": "https://shop.example:8443"},
    "host that only ends alike": {"origin": "https://evilshop.example"},
    "host below that is not listed": {"origin": "https://blog.shop.example"},
    "host with a path": {"origin": "https://shop.example/"},
    "host in capitals": {"origin": "https://SHOP.example"},
    "localhost that is not this ceremony's": {"origin": "http://localhost"},
    "app that is not listed": {"origin": "android:apk-key-hash:" + "A" * 43},
    "origin that is no text": {"client": {"origin": ["https://shop.example"]}},
    "in a frame": {"client": {"crossOrigin": True}},
    "in a frame, by other words": {"client": {"crossOrigin": 1}},
    "in a page of another origin": {"client": {"topOrigin": "https://evil.example"}},
    "another ceremony": {"client": {"type": "payment.get"}},
    "no ceremony": {"client": {"type": None}},
    "another challenge": {"client": {"challenge": encode(b"x" * 32)}},
    "no challenge": {"client": {"challenge": None}},
    "backed up and not eligible": {"backed_up": True},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_s97_a_lie_at_a_sign_in(api: Api, ann: Person, lie: dict[str, Any]):
    """Each is a 401, and the honest signature works as before."""
    _, holder = await add(ann)
    assert kind(await sign(api, replace(holder, **lie))) == INVALID
    assert (await sign(api, holder)).status == 201


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_s97_a_lie_at_a_registration(pool: Pool, ann: Person, lie: dict[str, Any]):
    """Each is a 401, and nothing is stored."""
    begun = await begin(ann)
    credential, _ = Authenticator(**lie).create(begun["publicKey"])
    assert kind(await finish(ann, begun, credential)) == INVALID
    assert await pool.fetchrow("select from passkeys") is None


FORGERIES: dict[str, dict[str, Any]] = {
    "another key": {"key": ec.generate_private_key(ec.SECP256R1())},
    "the key of nobody": {"key": ec.derive_private_key(1, ec.SECP256R1()), "credential_id": b"unknown"},
    "an unknown credential": {"credential_id": b"unknown"},
    "no handle": {"handle": None},
    "another's handle": {"handle": b"h" * 32},
    "another kind of passkey": {"backup_eligible": True},
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_s97_a_forged_signature(api: Api, ann: Person, forgery: dict[str, Any]):
    """Of another key, for an unknown credential, without its owner's handle, or as another kind: 401."""
    _, holder = await add(ann)
    assert kind(await sign(api, replace(holder, **forgery))) == INVALID


async def test_s97_bytes_behind_an_attestation(ann: Person):
    """Nothing is hidden behind what is verified."""
    begun = await begin(ann)
    credential, _ = Authenticator(trailing=b"\x00").create(begun["publicKey"])
    assert kind(await finish(ann, begun, credential)) == INVALID


async def test_s97_a_statement_is_not_believed(api: Api, ann: Person):
    """No attestation is asked for: the key is taken whatever a statement says of it, and nothing of it is read."""
    _, holder = await add(ann, Authenticator(fmt="packed", statement={"alg": -7, "sig": b"none", "x5c": [b"junk"]}))
    assert (await sign(api, holder)).status == 201


def mangled() -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Changes of a whole answer that no browser makes."""

    def response(**changes: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda credential: credential | {"response": credential["response"] | changes}

    deep: Any = []
    for _ in range(40):
        deep = [deep]
    return {
        "no credential": lambda _: {},
        "no response": lambda credential: {name: part for name, part in credential.items() if name != "response"},
        "response that is none": lambda credential: credential | {"response": []},
        "id and raw id differ": lambda credential: credential | {"id": encode(b"other")},
        "raw id that is no text": lambda credential: credential | {"rawId": 7},
        "another type": lambda credential: credential | {"type": "password"},
        "a type that is a list": lambda credential: credential | {"type": ["public-key"]},
        "client data that is no JSON": response(clientDataJSON=encode(b"{")),
        "client data that is a list": response(clientDataJSON=encode(b"[]")),
        "client data in another alphabet": response(clientDataJSON="{}\u00e9"),
        "data too short": response(authenticatorData=encode(b"x"), attestationObject=encode(cbor2.dumps({}))),
        "data without an end": response(
            authenticatorData=encode(b"\xff" * 40), attestationObject=encode(b"\x9f" * 900)
        ),
        "a length beyond memory": response(
            authenticatorData=encode(b"\x00" * 32 + b"\xc5" + b"\xff" * 30),
            attestationObject=encode(bytes.fromhex("9b00000000ffffffff")),
        ),
        "null everywhere": dict.fromkeys,
        "deep": lambda credential: credential | {"clientExtensionResults": {"x": deep}, "response": deep},
        "larger than any": lambda credential: credential | {"more": "x" * 17_000},
    }


@pytest.mark.parametrize("mangle", mangled().values(), ids=mangled().keys())
async def test_s97_junk_at_a_sign_in(api: Api, ann: Person, mangle: Callable[[dict[str, Any]], Any]):
    """Whatever stands in an answer, it is a 401 and never an error of the service."""
    _, holder = await add(ann)
    begun = await challenge(api)
    assert kind(await prove(api, begun, mangle(holder.get(begun["publicKey"])))) == INVALID


@pytest.mark.parametrize("mangle", mangled().values(), ids=mangled().keys())
async def test_s97_junk_at_a_registration(pool: Pool, ann: Person, mangle: Callable[[dict[str, Any]], Any]):
    """The same."""
    begun = await begin(ann)
    credential, _ = Authenticator().create(begun["publicKey"])
    assert kind(await finish(ann, begun, mangle(credential))) == INVALID
    assert await pool.fetchrow("select from passkeys") is None


async def test_s97_a_credential_is_an_object(api: Api, ann: Person):
    """Anything else is refused at the edge, and the challenge is left."""
    begun = await challenge(api)
    for junk in ("x", 7, [], None, True):
        assert kind(await prove(api, begun, junk)) == (400, "general_argument_invalid")
    _, holder = await add(ann)
    assert (await prove(api, begun, holder.get(begun["publicKey"]))).status == 201


async def test_s97_keys_of_other_kinds(ann: Person):
    """A key whose algorithm was not asked for, that lies on no curve, or is none: 401."""
    for cose in (
        {1: 2, 3: -35, -1: 2, -2: b"x" * 48, -3: b"y" * 48},
        {1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32},
        {1: 3, 3: -257, -1: b"\xc1" * 64, -2: b"\x01\x00\x01"},
        {1: 2, 3: -7, -1: 1, -2: b"x" * 32},
        {1: 3, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32},
        {},
        [],
        b"",
    ):
        begun = await begin(ann, passkeyId="junk")
        honest, _ = Authenticator().create(begun["publicKey"])
        whole = cbor2.loads(decode(honest["response"]["attestationObject"]))
        data = whole["authData"][: 37 + 16 + 2 + 32] + cbor2.dumps(cose)
        response = honest["response"] | {"attestationObject": encode(cbor2.dumps(whole | {"authData": data}))}
        assert kind(await finish(ann, begun, honest | {"response": response})) == INVALID


async def test_s98_a_challenge_of_a_sign_in_works_once(api: Api, ann: Person):
    """Of twenty answers at once one counts; a replay comes too late, and a wrong answer used it up as well."""
    _, holder = await add(ann)
    begun = await challenge(api)
    credential = holder.get(begun["publicKey"])
    answers = await asyncio.gather(*(prove(api, begun, credential) for _ in range(20)))
    assert one_won(answer.status for answer in answers)
    assert kind(await prove(api, begun, credential)) == USED
    again = await challenge(api)
    assert kind(await prove(api, again, credential)) == INVALID
    assert kind(await prove(api, again, holder.get(again["publicKey"]))) == USED


async def test_s98_a_challenge_of_a_registration_works_once(pool: Pool, ann: Person):
    """Of twenty at once one makes the passkey; after a wrong answer the right one is too late."""
    begun = await begin(ann)
    credential, _ = Authenticator().create(begun["publicKey"])
    await pool.execute("update projects set limits = '{\"update_passkey_verification.user\": []}'")
    forget_projects(ann.api)
    answers = await asyncio.gather(*(finish(ann, begun, credential) for _ in range(20)))
    assert [answer.status for answer in answers].count(200) == 1
    assert {kind(answer) for answer in answers if answer.status != 200} <= {USED, (404, "user_passkey_not_found")}
    begun = await begin(ann)
    wrong, _ = Authenticator(verifies=False).create(begun["publicKey"])
    right, _ = Authenticator().create(begun["publicKey"])
    assert kind(await finish(ann, begun, wrong)) == INVALID
    assert kind(await finish(ann, begun, right)) == USED


async def test_s98_five_minutes(api: Api, pool: Pool, ann: Person):
    """Then neither ceremony can be ended."""
    _, holder = await add(ann)
    asked, begun = await challenge(api), await begin(ann)
    await pool.execute("update passkey_challenges set expires_at = now()")
    assert kind(await prove(api, asked, holder.get(asked["publicKey"]))) == USED
    credential, _ = Authenticator().create(begun["publicKey"])
    assert kind(await finish(ann, begun, credential)) == USED


async def test_s98_a_registration_is_its_sessions_alone(api: Api, pool: Pool, ann: Person):
    """Another session of the user can't end it, nor a challenge of a sign-in, nor one of a registration sign in."""
    begun = await begin(ann)
    credential, holder = Authenticator().create(begun["publicKey"])
    other = await signed_in(api, pool)
    assert kind(await finish(other, begun, credential)) == USED
    assert kind(await prove(api, begun, holder.get(begun["publicKey"]))) == USED
    assert (await finish(ann, begun, credential)).status == 200
    begun, asked = await begin(ann), await challenge(api)
    crossed, _ = Authenticator().create(asked["publicKey"] | {"user": {"id": ""}})
    assert kind(await finish(ann, begun, crossed)) == INVALID


async def test_s98_another_project(api: Api, pool: Pool, ann: Person):
    """Neither a challenge nor a passkey nor its token is another project's."""
    await projects.create(pool, "bakery", name="Bakery")
    await projects.change(pool, "bakery", passkeys=True, rp_id="shop.example")
    forget_projects(api)
    elsewhere = {"X-Appwrite-Project": "bakery"}
    _, holder = await add(ann)
    begun = await challenge(api, headers=elsewhere)
    assert kind(await prove(api, begun, holder.get(begun["publicKey"]))) == USED
    body = {"challengeId": begun["$id"], "credential": holder.get(begun["publicKey"])}
    assert kind(await api.call("PUT", TOKENS, json=body, modern=True, headers=elsewhere)) == INVALID
    signed = (await sign(api, holder)).data
    proof = {"userId": signed["userId"], "secret": signed["secret"]}
    assert kind(await api.call("POST", SESSION, json=proof, modern=True, headers=elsewhere)) == USED
    assert (await open_session(api, signed)).status == 201


@pytest.mark.parametrize("change", ["host", "listed"])
async def test_s98_a_changed_relying_party_voids_what_has_begun(api: Api, pool: Pool, ann: Person, change: str):
    """Another host, or other origins: both ceremonies begin anew. Passkeys of the same host go on."""
    _, holder = await add(ann)
    asked, begun = await challenge(api), await begin(ann)
    if change == "host":
        await projects.change(pool, "shop", rp_id="other.example")
    else:
        await projects.add_platform(pool, "shop", hostname="www.shop.example")
    forget_projects(api)
    assert kind(await prove(api, asked, holder.get(asked["publicKey"]))) == USED
    credential, _ = Authenticator().create(begun["publicKey"])
    assert kind(await finish(ann, begun, credential)) == USED
    assert (await sign(api, holder)).status == (201 if change == "listed" else 401)


async def test_s98_a_token_works_for_a_minute_and_its_user(api: Api, pool: Pool, ann: Person):
    """It opens one session, of the user who signed; on no other route, and not when it is a minute old."""
    _, holder = await add(ann)
    signed = (await sign(api, holder)).data
    assert kind(await open_session(api, signed | {"userId": "eve"})) == USED
    proof = {"userId": signed["userId"], "secret": signed["secret"]}
    for way in WAYS:
        if way.path != SESSION:
            body = proof | {"password": "another horse"}
            assert (await api.call(way.method, way.path, json=body, modern=True)).status == 401
    [(life,)] = await pool.fetch("select expires_at - created_at from tokens where kind = 'passkey'")
    assert life == timedelta(seconds=60)
    answers = await asyncio.gather(*(open_session(api, signed) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201] + [401] * 4
    late = (await sign(api, holder)).data
    await pool.execute("update tokens set expires_at = now()")
    assert kind(await open_session(api, late)) == USED


async def test_s98_a_new_password_ends_a_token(api: Api, ann: Person):
    """A token of before it opens no session after it."""
    _, holder = await add(ann)
    signed = (await sign(api, holder)).data
    await ann.call("PATCH", "/v1/account/password", password="another horse", oldPassword="correct horse")
    assert kind(await open_session(api, signed)) == USED


@pytest.mark.parametrize("way", [RECOVER, SIGN_IN, RECOVER_BY_CODE], ids=["recovery", "code", "recovery code"])
async def test_s99_a_squatters_passkey_goes_when_the_owner_comes(api: Api, pool: Pool, post: Post, way):
    """Whoever made an account with another person's address keeps no passkey in it, nor a pending one or a token."""
    await switch_on(api, pool)
    user_id = (await api.sign_up())["$id"]
    squatter = await signed_in(api, pool)
    _, holder = await add(squatter)
    pending = await begin(squatter)
    signed = (await sign(api, holder)).data
    assert (await use(api, way, await post.issue(way.kind, user_id))).status == way.status
    assert kind(await sign(api, holder)) == INVALID
    assert kind(await open_session(api, signed)) == USED
    credential, _ = Authenticator().create(pending["publicKey"])
    assert (await finish(squatter, pending, credential)).status == 401
    assert await pool.fetchrow("select from passkeys") is None


async def test_s99_a_proved_account_keeps_its_passkeys(api: Api, pool: Pool, post: Post, ann: Person):
    """A recovery leaves them: a thief of the mailbox can't take them away."""
    _, holder = await add(ann)
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    assert (await use(api, RECOVER, await post.issue(Kind.RECOVERY, user_id))).status == 200
    assert (await sign(api, holder)).status == 201


async def test_s99_an_undo_puts_passkeys_back(api: Api, pool: Pool, settings: Settings, ann: Person):
    """A thief removes the owner's passkey and adds another: by the link of the first notice both are undone."""
    one, holder = await add(ann)
    await pool.execute("delete from mails")
    await pool.execute("delete from tokens")
    assert (await ann.call("DELETE", f"{PATH}/{one}")).status == 204
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    _, thiefs = await add(ann)
    signed = (await sign(api, thiefs)).data
    assert Page((await follow_link(api, address)).data).heading == DONE
    assert kind(await sign(api, thiefs)) == INVALID
    assert kind(await open_session(api, signed)) == USED
    assert (await sign(api, holder)).status == 201


@pytest.mark.parametrize("way", ["change", "recovery"])
async def test_s99_a_notice_of_a_new_password_counts_passkeys(api: Api, pool: Pool, ann: Person, post: Post, way: str):
    """A passkey outlives the password, so the owner hears of it; its name is a client's text, and is in no letter."""
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]

    async def told() -> list[dict[str, Any]]:
        if way == "change":
            body = {"password": "another horse", "oldPassword": "correct horse"}
            assert (await ann.call("PATCH", "/v1/account/password", **body)).status == 200
            await ann.call("PATCH", "/v1/account/password", password="correct horse", oldPassword="another horse")
        else:
            assert (await use(api, WAYS[0], await post.issue(Kind.RECOVERY, user_id))).status == 200
        rows = await pool.fetch("delete from mails where letter = 'password_changed' returning facts")
        assert "+49 900" not in str(rows)
        return [row["facts"] for row in rows]

    _, holder = await add(ann, name="Call +49 900 1234")
    assert {facts["passkeys"] for facts in await told()} == {1}
    ann = await enter(api, pool, holder)
    await pool.execute("delete from passkeys")
    assert all("passkeys" not in facts for facts in await told())


async def test_s99_a_stolen_session_adds_no_passkey_to_an_account_with_mfa(api: Api, pool: Pool, ann: Person):
    """It has to have its second factor, and lately."""
    await ann.enrol()
    await ann.call("PATCH", MFA, mfa=True)
    thief = await signed_in(api, pool)
    assert kind(await thief.call("POST", PATH)) == (401, "user_more_factors_required")


async def test_s99_nobody_learns_who_has_a_passkey(api: Api, ann: Person):
    """An unknown credential and a wrong signature of a known one are one answer, and write the same."""
    _, holder = await add(ann)
    stranger = Authenticator(handle=b"h" * 32)
    answers = [await sign(api, liar) for liar in (stranger, replace(holder, key=stranger.key))]
    assert [(answer.status, json.dumps(answer.data)) for answer in answers] == [
        (answers[0].status, json.dumps(answers[0].data))
    ] * 2
    assert kind(answers[0]) == INVALID


async def test_s99_a_passkey_session_is_known_for_what_it_is(api: Api, pool: Pool, ann: Person):
    """It may do at once what takes a recent sign-in and a fresh proof."""
    _, holder = await add(ann)
    await ann.call("PATCH", MFA, mfa=True)
    person = await enter(api, pool, holder)
    assert (await person.call("POST", PATH)).status == 201
    assert (await person.call("PATCH", MFA, mfa=False)).status == 200


EVE = "eve@evil.example"
each_undo = pytest.mark.parametrize("undo", [Kind.ACCOUNT_UNDO, Kind.EMAIL_UNDO])


async def noticed(person: Person, undo: Kind) -> None:
    """Change what is told with such a link, after a fresh second factor if there is one."""
    await person.pool.execute("update sessions set mfa_at = now()")
    if undo is Kind.ACCOUNT_UNDO:
        change = {"password": "another horse", "oldPassword": "correct horse"}
        assert (await person.call("PATCH", "/v1/account/password", **change)).status == 200
    else:
        await move(person, "correct horse")


async def move(person: Person, password: str) -> None:
    assert (await person.call("PATCH", "/v1/account/email", email=EVE, password=password)).status == 200


async def squat(api: Api, pool: Pool, post: Post) -> tuple[Person, str, Authenticator]:
    """A squatter adds a passkey and an app to an account with another's address, whose owner opens a link elsewhere."""
    await switch_on(api, pool)
    user_id = (await api.sign_up())["$id"]
    squatter = await signed_in(api, pool)
    _, passkey = await add(squatter)
    await squatter.enrol()
    assert (await squatter.call("PATCH", MFA, mfa=True)).status == 200
    assert (await use(api, WAYS[1], await post.issue(Kind.VERIFICATION, user_id))).status == 200
    return squatter, user_id, passkey


async def check_alone(api: Api, pool: Pool, passkey: Authenticator) -> None:
    """Hold that nothing of the squatter's is left."""
    assert kind(await sign(api, passkey)) == INVALID
    assert tuple(await pool.fetchrow("select mfa, (select count(*) from authenticators) from users")) == (False, 0)


@each_undo
async def test_s99_an_undo_leaves_no_squatter_in(api: Api, pool: Pool, settings: Settings, post: Post, undo: Kind):
    """A squatter adds a passkey and an app. The owner opens a link in another browser, and later uses that of a notice.

    What was there before the notice goes too: nobody has shown yet that maker and owner are one person.
    """
    squatter, _, passkey = await squat(api, pool, post)
    await noticed(squatter, undo)
    assert Page((await follow_link(api, await link(pool, settings, undo))).data).heading == DONE
    await check_alone(api, pool, passkey)


@pytest.mark.parametrize("release", ["this", "the one before"])
@each_undo
async def test_s99_a_squatter_who_moves_on_proves_nothing(
    api: Api, pool: Pool, settings: Settings, post: Post, *, undo: Kind, release: str
):
    """The same, and the squatter proves a mailbox of the squatter's own in the session, before the link is used.

    Who had proved the address counts as of the notice. The release before did not write it down: then nobody had.
    """
    squatter, user_id, passkey = await squat(api, pool, post)
    await noticed(squatter, undo)
    if undo is Kind.ACCOUNT_UNDO:
        await move(squatter, "another horse")
    proof = await post.issue(Kind.VERIFICATION, user_id, email=EVE, version=2)
    assert (await use(api, WAYS[1], proof, headers=squatter.headers)).status == 200
    proved = await pool.fetchrow("select email, email_verified, proved_by_holder from users")
    assert tuple(proved) == (EVE, True, True)
    if release != "this":
        await pool.execute("update tokens set proved_by_holder = null")
    assert Page((await follow_link(api, await link(pool, settings, undo))).data).heading == DONE
    await check_alone(api, pool, passkey)


@each_undo
async def test_s99_an_owners_factors_outlast_a_move(
    api: Api, pool: Pool, settings: Settings, post: Post, *, ann: Person, undo: Kind
):
    """A thief moves the account to a mailbox whose reader opens the link elsewhere: the undo keeps the owner's."""
    _, passkey = await add(ann)
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    await pool.execute("delete from tokens")
    await noticed(ann, undo)
    if undo is Kind.ACCOUNT_UNDO:
        await move(ann, "another horse")
    proof = await post.issue(Kind.VERIFICATION, user_id, email=EVE, version=2)
    assert (await use(api, WAYS[1], proof)).status == 200
    assert Page((await follow_link(api, await link(pool, settings, undo))).data).heading == DONE
    assert (await sign(api, passkey)).status == 201


async def test_s99_a_link_of_the_release_before_keeps_an_owners_factors(
    api: Api, pool: Pool, settings: Settings, ann: Person
):
    """While the account has its address the account tells who proved it: a thief of the mailbox sheds no factor."""
    _, passkey = await add(ann)
    await pool.execute("delete from tokens")
    await noticed(ann, Kind.ACCOUNT_UNDO)
    await pool.execute("update tokens set proved_by_holder = null")
    assert Page((await follow_link(api, await link(pool, settings, Kind.ACCOUNT_UNDO))).data).heading == DONE
    assert (await sign(api, passkey)).status == 201
