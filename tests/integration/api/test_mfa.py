"""Second factors of a member: the gate, the app, challenges and recovery codes, as today's SDKs see them."""

import asyncio
import re

import pytest

from service.app import routes
from service.crypto.secret import Secret
from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import Settings
from service.store import projects
from testkit.api import Api, cookie_of, kind
from testkit.factors import AUTHENTICATOR, CHALLENGES, PATH, RECOVERY, App, Person, mailed_code, signed_in, verified

pytestmark = pytest.mark.usefixtures("cheap")
GATED = "user_more_factors_required"


@pytest.fixture
async def ann(api: Api, pool: Pool) -> Person:
    """Ann, whose address is proved."""
    return await verified(api, pool)


async def switched_on(person: Person) -> App:
    """Give a person an authenticator app and ask for a second factor."""
    app = await person.enrol()
    assert (await person.call("PATCH", PATH, mfa=True)).data["mfa"] is True
    return app


def forget_projects(api: Api) -> None:
    """Have the next request read its project anew: settings are believed for a second."""
    api.client.app[SERVICES].projects._seen.clear()


async def test_an_app_is_enrolled(api: Api, pool: Pool, ann: Person):
    """The secret is shown once and sealed; the first code verifies it, and counts for the session."""
    made = await ann.call("POST", AUTHENTICATOR)
    assert made.status == 200
    assert made.headers["Cache-Control"].startswith("no-store")
    assert made.data.keys() == {"secret", "uri"}
    assert made.data["uri"].startswith("otpauth://totp/Shop:ann@example.com?secret=" + made.data["secret"])
    row = await pool.fetchrow("select a::text from authenticators a")
    assert made.data["secret"] not in row[0]
    assert (await ann.call("GET", f"{PATH}/factors")).data["totp"] is False
    proved = await ann.call("PUT", AUTHENTICATOR, otp=await App(pool, made_secret(made)).code())
    assert proved.status == 200
    assert proved.data["mfa"] is False
    assert proved.data["prefs"] == {}
    assert (await ann.call("GET", f"{PATH}/factors")).data == {
        "totp": True, "phone": False, "email": True, "recoveryCode": False, "custom": False,
    }  # fmt: skip
    session = (await ann.call("GET", "/v1/account/sessions/current")).data
    assert session["factors"] == ["password", "totp"]
    assert session["mfaUpdatedAt"] != ""
    assert kind(await ann.call("POST", AUTHENTICATOR)) == (409, "user_authenticator_already_verified")


def made_secret(answer) -> Secret:
    return Secret(answer.data["secret"])


async def test_a_second_enrolment_replaces_one_that_waits(pool: Pool, ann: Person):
    """Only the newest secret verifies; one that nobody verified for an hour is gone."""
    first = App(pool, made_secret(await ann.call("POST", AUTHENTICATOR)))
    second = App(pool, made_secret(await ann.call("POST", AUTHENTICATOR)))
    assert kind(await ann.call("PUT", AUTHENTICATOR, otp=await first.code())) == (401, "user_invalid_token")
    await pool.execute("update authenticators set created_at = now() - interval '61 minutes'")
    assert kind(await ann.call("PUT", AUTHENTICATOR, otp=await second.code())) == (404, "user_authenticator_not_found")


@pytest.mark.parametrize("path", [f"{PATH}/authenticators/sms", f"{PATH}/authenticators/totp2"])
async def test_other_types_are_refused(ann: Person, path: str):
    """There is one type, in any case."""
    assert kind(await ann.call("POST", path)) == (400, "general_argument_invalid")
    assert (await ann.call("POST", f"{PATH}/authenticators/TOTP")).status == 200


async def test_the_gate_is_on_every_member_route(api: Api, pool: Pool, ann: Person):
    """A session with a password only reaches the way to a second factor, or out, and nothing else; a JWT neither."""
    await switched_on(ann)
    other = await signed_in(api, pool)
    jwt_of = await ann.call("POST", "/v1/account/jwts")
    assert jwt_of.status == 201
    open_to = set()
    for route in routes():
        if route.access != "member":
            continue
        for path in route.paths:
            filled = re.sub(r"\{\w+\}", "none", path.replace("{type}", "totp"))
            for version in (True, False):
                answer = await api.call(route.method, filled, headers=other.headers, json={}, modern=version)
                if kind(answer) != (401, GATED):
                    open_to.add((route.method, path))
    assert open_to == {
        ("POST", CHALLENGES), ("PUT", CHALLENGES), ("POST", f"{PATH}/challenge"), ("PUT", f"{PATH}/challenge"),
        ("GET", f"{PATH}/factors"), ("DELETE", "/v1/account/sessions/{sessionId}"),
    }  # fmt: skip


async def test_a_jwt_of_a_gated_session_opens_nothing(api: Api, pool: Pool, ann: Person):
    """The JWT's session counts, as its cookie does; after the challenge both are in."""
    other = await signed_in(api, pool)
    token = (await other.call("POST", "/v1/account/jwts")).data["jwt"]
    app = await switched_on(ann)
    by_jwt = Person(api, pool, {"X-Appwrite-JWT": token})
    assert kind(await by_jwt.call("GET", "/v1/account")) == (401, GATED)
    assert kind(await other.call("GET", "/v1/account")) == (401, GATED)
    assert (await by_jwt.prove("totp", await app.unused())).status == 200
    assert (await other.call("GET", "/v1/account")).status == 200
    assert (await by_jwt.call("GET", "/v1/account")).status == 200


async def test_who_switches_it_on_is_not_asked_and_others_are(api: Api, pool: Pool, ann: Person):
    """At their next call. Switching it off takes a challenge that was passed lately."""
    other = await signed_in(api, pool)
    app = await switched_on(ann)
    assert (await ann.call("GET", "/v1/account")).data["mfa"] is True
    assert kind(await other.call("GET", "/v1/account")) == (401, GATED)
    await pool.execute("update sessions set mfa_at = now() - interval '31 minutes'")
    assert kind(await ann.call("PATCH", PATH, mfa=False)) == (401, "user_challenge_required")
    assert (await ann.prove("totp", await app.unused())).status == 200
    assert (await ann.call("PATCH", PATH, mfa=False)).data["mfa"] is False
    assert (await other.call("GET", "/v1/account")).status == 200


async def test_a_challenge_is_passed_with_the_app(api: Api, pool: Pool, ann: Person):
    """The session stays the same one and gets no cookie; the challenge shows no code and works once."""
    app = await switched_on(ann)
    other = await signed_in(api, pool)
    made = await other.call("POST", CHALLENGES, factor="TOTP")
    assert made.data.keys() == {"$id", "$createdAt", "userId", "expire"}
    code = await app.unused()
    passed = await other.answer(made.data["$id"], f"{code[:3]} {code[3:]}")
    assert passed.status == 200
    assert passed.data["factors"] == ["password", "totp"]
    assert (passed.data["current"], passed.data["secret"]) == (True, "")
    assert "Set-Cookie" not in passed.headers
    assert (await other.call("GET", "/v1/account")).status == 200
    assert kind(await other.answer(made.data["$id"], code)) == (401, "user_invalid_token")


async def test_a_code_works_once(api: Api, pool: Pool, ann: Person):
    """Of twenty at once one is taken; the code that enrolled the app counts as used; earlier ones are void."""
    app = await ann.enrol()
    assert kind(await ann.prove("totp", await app.code())) == (401, "user_invalid_token")
    assert kind(await ann.prove("totp", await app.code(-1))) == (401, "user_invalid_token")
    people = [await signed_in(api, pool) for _ in range(4)]
    pending = [(person, await person.challenge("totp")) for person in people]
    code = await app.unused()
    answers = await asyncio.gather(*(person.answer(id_, code) for person, id_ in pending for _ in range(5)))
    assert sorted(answer.status for answer in answers).count(200) == 1


async def test_an_e_mail_challenge(api: Api, pool: Pool, settings: Settings, ann: Person):
    """The code is in the mail and nowhere else, good for that challenge, and for the address of that time."""
    await ann.call("PATCH", PATH, mfa=True)
    other = await signed_in(api, pool)
    challenge = await other.challenge("email")
    mail = await pool.fetchrow("select * from mails where letter = 'mfa_challenge'")
    assert mail["recipient"] == "ann@example.com"
    code = await mailed_code(pool, settings)
    assert code not in str(mail["facts"])
    second = await other.challenge("email")
    assert kind(await other.answer(second, code)) == (401, "user_invalid_token")
    assert (await other.answer(challenge, code)).status == 200
    await pool.execute("update users set email_version = email_version + 1")
    assert kind(await other.answer(second, await mailed_code(pool, settings))) == (401, "user_invalid_token")


@pytest.mark.parametrize("way", ["none", "foreign", "expired", "wrong"])
async def test_all_wrong_answers_are_alike(api: Api, pool: Pool, ann: Person, way: str):
    """Unknown, another session's, expired, wrong: 401 with the same words."""
    app = await ann.enrol()
    other = await signed_in(api, pool)
    challenge, code = await ann.challenge("totp"), await app.unused()
    if way == "expired":
        await pool.execute("update challenges set expires_at = now()")
    asker = other if way == "foreign" else ann
    found = await asker.answer("none" if way == "none" else challenge, "abc" if way == "wrong" else code)
    assert (found.status, found.data["type"], found.data["message"]) == (
        401, "user_invalid_token", "Invalid token passed in the request.",
    )  # fmt: skip
    names = [row[0] for row in await pool.fetch("select name from events")]
    assert names.count("account.challenges.failed") == 1


async def test_five_wrong_answers_kill_a_challenge(ann: Person):
    """The right code comes too late then."""
    app = await ann.enrol()
    challenge = await ann.challenge("totp")
    for _ in range(5):
        assert (await ann.answer(challenge, "000000")).status == 401
    assert (await ann.answer(challenge, await app.unused())).status == 401
    assert (await ann.prove("totp", await app.unused())).status == 200


async def test_wrong_answers_are_bounded_for_the_account(api: Api, pool: Pool, ann: Person):
    """After ten the account's codes rest, in every session, and the owner is told; recovery codes still let in."""
    app = await switched_on(ann)
    codes = (await ann.call("POST", RECOVERY)).data["recoveryCodes"]
    thief = await signed_in(api, pool)
    for _ in range(2):
        challenge = await thief.challenge("totp")
        for _ in range(5):
            assert (await thief.answer(challenge, "000000")).status == 401
    refused = await ann.prove("totp", await app.unused())
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) > 0
    told = [row[0]["change"] for row in await pool.fetch("select facts from mails where letter = 'security_changed'")]
    assert told.count("wrong_codes") == 1
    owner = await signed_in(api, pool)
    assert (await owner.prove("recoverycode", codes[0])).status == 200
    for _ in range(5):
        assert (await thief.prove("recoveryCode", codes[0])).status == 401
    assert (await thief.prove("recoveryCode", codes[1])).status == 429


async def test_recovery_codes(pool: Pool, api: Api, ann: Person):
    """Ten, hashed, shown once; the SDK's own spelling of the factor works; each code once, also of many at a time."""
    made = await ann.call("POST", RECOVERY)
    codes = made.data["recoveryCodes"]
    assert (made.status, len(codes)) == (201, 10)
    assert kind(await ann.call("POST", RECOVERY)) == (409, "user_recovery_codes_already_exists")
    hashes = [row[0] for row in await pool.fetch("select hash from recovery_codes")]
    assert all(line.startswith("$argon2id$") for line in hashes)
    pending = [await ann.challenge("recoverycode") for _ in range(3)]
    answers = await asyncio.gather(*(ann.answer(challenge, codes[4].upper()) for challenge in pending))
    assert sorted(answer.status for answer in answers) == [200, 401, 401]
    session = next(answer.data for answer in answers if answer.status == 200)
    assert session["factors"] == ["password", "recoveryCode"]
    refused = await ann.call("GET", RECOVERY)
    assert kind(refused) == (404, "user_recovery_codes_not_found")
    assert refused.data["message"] == "Recovery codes are shown once, when they are made."
    renewed = await ann.call("PATCH", RECOVERY)
    assert (renewed.status, len(renewed.data["recoveryCodes"])) == (200, 10)
    assert (await ann.prove("recoveryCode", codes[0])).status == 401
    told = [row[0] for row in await pool.fetch("select facts from mails where letter = 'security_changed'")]
    assert [facts.get("left") for facts in told if facts["change"] == "recovery_code_used"] == [9]


async def test_codes_that_are_fresh_only(pool: Pool, ann: Person):
    """Recovery codes in place of others and the removal of an app need a challenge of the last 30 minutes."""
    app = await ann.enrol()
    await pool.execute("update sessions set mfa_at = now() - interval '31 minutes'")
    for method, path in (("PATCH", RECOVERY), ("GET", RECOVERY), ("DELETE", AUTHENTICATOR)):
        assert kind(await ann.call(method, path)) == (401, "user_challenge_required")
    assert (await ann.prove("totp", await app.unused())).status == 200
    assert kind(await ann.call("PATCH", RECOVERY)) == (404, "user_recovery_codes_not_found")
    assert (await ann.call("DELETE", AUTHENTICATOR)).status == 204
    assert kind(await ann.call("DELETE", AUTHENTICATOR)) == (404, "user_authenticator_not_found")
    assert kind(await ann.call("POST", CHALLENGES, factor="totp")) == (404, "user_authenticator_not_found")


async def test_a_stolen_session_adds_no_app_to_an_account_with_mfa(pool: Pool, ann: Person):
    """With second factors switched on, enrolling and first recovery codes need a fresh challenge."""
    await ann.call("PATCH", PATH, mfa=True)
    assert kind(await ann.call("POST", AUTHENTICATOR)) == (401, "user_challenge_required")
    assert kind(await ann.call("PUT", AUTHENTICATOR, otp="123456")) == (401, "user_challenge_required")
    assert kind(await ann.call("POST", RECOVERY)) == (401, "user_challenge_required")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, "general_argument_invalid")),
        ({"factor": "sms"}, (400, "general_argument_invalid")),
        ({"factor": 1}, (400, "general_argument_invalid")),
        ({"factor": "totp"}, (404, "user_authenticator_not_found")),
        ({"factor": "recoveryCode"}, (404, "user_recovery_codes_not_found")),
        ({"factor": "phone"}, (503, "general_phone_disabled")),
        ({"factor": "custom"}, (501, "user_auth_method_unsupported")),
    ],
)
async def test_what_cannot_be_challenged(pool: Pool, ann: Person, body, refusal: tuple[int, str]):
    """Checked before anything is written."""
    assert kind(await ann.call("POST", CHALLENGES, **body)) == refusal
    assert await pool.fetchrow("select from challenges") is None


async def test_an_unproved_address_is_no_factor(api: Api, pool: Pool):
    """Neither for a challenge nor for the gate: who switches mfa on without a factor locks nobody out."""
    await api.sign_up()
    ann = await signed_in(api, pool)
    assert kind(await ann.call("POST", CHALLENGES, factor="email")) == (400, "user_email_not_verified")
    assert (await ann.call("PATCH", PATH, mfa=True)).status == 200
    other = await signed_in(api, pool)
    assert (await other.call("GET", "/v1/account")).status == 200
    assert (await other.call("PATCH", PATH, mfa=False)).status == 200


async def test_a_mailbox_is_one_factor(api: Api, pool: Pool, ann: Person):
    """A sign-in by mail leaves the app as second factor; without one the password has to come first.

    A user who has the mailbox only is not locked out.
    """
    app = await switched_on(ann)
    other = await signed_in(api, pool)
    await pool.execute("update sessions set first_factor = 'email', factors = '{email}' where assurance = 1")
    listed = (await other.call("GET", f"{PATH}/factors")).data
    assert (listed["email"], listed["totp"]) == (False, True)
    assert (await other.prove("totp", await app.unused())).status == 200
    assert (await other.call("DELETE", AUTHENTICATOR)).status == 204
    third = await signed_in(api, pool)
    await pool.execute("update sessions set first_factor = 'email' where assurance = 1")
    assert kind(await third.call("GET", "/v1/account")) == (401, GATED)
    await pool.execute("update users set password_hash = null")
    assert (await third.call("GET", "/v1/account")).status == 200


async def test_a_session_of_an_earlier_release_is_held_for_the_least(api: Api, pool: Pool, ann: Person):
    """Nobody knows whether it began with a password or a mailed code: the mailbox is no second factor for it."""
    other = await signed_in(api, pool)
    await pool.execute("update sessions set first_factor = 'unknown', factors = '{}'")
    assert (await other.call("GET", "/v1/account/sessions/current")).data["factors"] == ["password"]
    await ann.call("PATCH", PATH, mfa=True)
    assert kind(await other.call("GET", "/v1/account")) == (401, GATED)
    assert (await other.call("GET", f"{PATH}/factors")).data["email"] is False


async def test_the_projects_policy(api: Api, pool: Pool, ann: Person):
    """A factor that is switched off is neither made nor asked for; recovery codes can't be switched off."""
    app = await switched_on(ann)
    codes = (await ann.call("POST", RECOVERY)).data["recoveryCodes"]
    challenge = await ann.challenge("totp")
    await projects.change(pool, "shop", mfa_factors=["email"])
    forget_projects(api)
    assert kind(await ann.answer(challenge, await app.unused())) == (501, "user_auth_method_unsupported")
    assert kind(await ann.call("POST", CHALLENGES, factor="totp")) == (501, "user_auth_method_unsupported")
    assert (await ann.prove("recoveryCode", codes[0])).status == 200
    await projects.change(pool, "shop", mfa_factors=[])
    forget_projects(api)
    other = await signed_in(api, pool)
    assert (await other.call("GET", "/v1/account")).status == 200


async def test_the_custom_factor(api: Api, pool: Pool, ann: Person):
    """The app's server reads the code, once a minute, and delivers it by a way of its own."""
    await projects.change(pool, "shop", mfa_factors=["custom"])
    forget_projects(api)
    key = await projects.create_api_key(pool, "shop", key_id="k", name="k", scopes=["users.read"])
    server = {"X-Appwrite-Key": key}
    challenge = await ann.challenge("custom")
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    path = f"/v1/users/{user_id}/mfa/challenges/{challenge}"
    found = await api.call("GET", path, headers=server, modern=True)
    assert found.status == 200
    assert found.data["$id"] == challenge
    assert kind(await api.call("GET", path, headers=server, modern=True)) == (401, "user_invalid_token")
    assert (await ann.answer(challenge, found.data["code"])).status == 200
    totp = f"/v1/users/{user_id}/mfa/challenges/none"
    assert kind(await api.call("GET", totp, headers=server, modern=True)) == (401, "user_invalid_token")


async def test_a_secret_that_cannot_be_read_opens_nothing(
    api: Api, pool: Pool, ann: Person, caplog: pytest.LogCaptureFixture
):
    """Moved to another user's row or without its key: 401 and a line in the log; the gate stays shut.

    A list of factors leaves it out, so that an app asks for another one.
    """
    app = await switched_on(ann)
    await pool.execute("update authenticators set kid = 'gone'")
    other = await signed_in(api, pool)
    assert (await other.call("GET", f"{PATH}/factors")).data["totp"] is False
    assert kind(await other.prove("totp", await app.unused())) == (401, "user_invalid_token")
    assert kind(await other.call("GET", "/v1/account")) == (401, GATED)
    assert [record.event for record in caplog.records if hasattr(record, "event")].count(
        "authenticator.unreadable"
    ) == 1


async def test_a_sealed_secret_moved_to_another_user_does_not_open(api: Api, pool: Pool, ann: Person):
    """A writer of the database can't give an account an app of the writer's own."""
    app = await ann.enrol()
    eve = await verified(api, pool, "eve@example.com")
    eves = await eve.enrol()
    await pool.execute(
        "update authenticators a set sealed = b.sealed from authenticators b, users u "
        "where b.user_id = u.id and u.email = 'eve@example.com' and a.user_id <> b.user_id"
    )
    assert (await ann.prove("totp", await eves.unused())).status == 401
    assert (await ann.prove("totp", await app.unused())).status == 401


async def test_a_sign_out_needs_no_second_factor(api: Api, pool: Pool, ann: Person):
    """A gated session can be ended by who holds it."""
    await switched_on(ann)
    other = await signed_in(api, pool)
    assert (await other.call("DELETE", "/v1/account/sessions/current")).status == 204


async def test_legacy_clients_meet_the_gate(api: Api, pool: Pool, ann: Person):
    """They get the error, and their user no mfa field."""
    await switched_on(ann)
    answer = await api.call(
        "POST", "/v1/account/sessions", json={"email": "ann@example.com", "password": "correct horse"}
    )
    assert "factors" not in answer.data
    refused = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})
    assert kind(refused) == (401, GATED)


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ("email = 'ann@example.com'", "ann@example.com"),
        ("email = null", "%2B4915112345678"),
        ("email = null, phone = null", "Ann"),
        ("email = null, phone = null, name = ''", None),
    ],
)
async def test_an_app_names_the_account(pool: Pool, ann: Person, facts: str, label: str | None):
    """By address, else number, else name, else id."""
    await pool.execute("update users set phone = '+4915112345678', name = 'Ann'")
    await pool.execute(f"update users set {facts}")
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    made = await ann.call("POST", AUTHENTICATOR)
    assert made.data["uri"].startswith(f"otpauth://totp/Shop:{label or user_id}?")
