"""Phone numbers and their codes under attack: toll fraud, planted numbers, guesses, codes of another kind."""

import asyncio
from typing import Any

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import projects, token_secrets, tokens
from service.store.tokens import OF_PHONES, Kind
from testkit.api import Api, cookie_of, kind, one_won
from testkit.factors import Person
from testkit.passkeys import forget_projects
from testkit.phones import ANN, BOB, SESSION, TOKENS, VERIFICATION, Phone, code_of

pytestmark = pytest.mark.usefixtures("cheap")
EMAIL = "ann@example.com"


async def sent(pool: Pool) -> int:
    return int((await pool.fetchrow("select count(*) from sms"))[0])


async def member(api: Api, email: str = EMAIL) -> Phone:
    await api.sign_up(email)
    return Phone(api, await api.sign_in(email))


async def prove(of: Phone, pool: Pool, settings: Settings, number: str = ANN, *, session: bool = True) -> Any:
    """Set a number and prove it, in the account's session or without."""
    await of.set_number(number)
    token = await of.call("POST", VERIFICATION)
    assert token.status == 201, token.data
    body = {"userId": token.data["userId"], "secret": await code_of(pool, settings)}
    return await (of if session else Phone(of.api, {})).call("PUT", VERIFICATION, **body)


async def ask(api: Api, number: str = ANN, asked_as: str = "asked") -> Any:
    return await api.call("POST", TOKENS, json={"userId": asked_as, "phone": number}, modern=True)


def other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_s106_a_budget_that_is_used_up_shows_nothing_to_guests(sms_api: Api, pool: Pool):
    """Five SMS an hour to one number. The sixth answer is like the first, and nothing is sent."""
    answers = [await ask(sms_api) for _ in range(6)]
    assert {answer.status for answer in answers} == {201}
    assert {frozenset(answer.data) for answer in answers} == {frozenset(answers[0].data)}
    assert await sent(pool) == 5
    assert len(await pool.fetch("select 1 from tokens")) == 6


async def test_s106_another_country_shows_nothing_to_guests(sms_api: Api, pool: Pool):
    """The project lists +49: a number elsewhere is answered alike, and gets nothing. A member is told."""
    answer = await ask(sms_api, "+4312345678")
    assert answer.status == 201
    assert await sent(pool) == 0
    ann = await member(sms_api)
    await ann.set_number("+4312345678")
    assert kind(await ann.call("POST", VERIFICATION)) == (400, "general_argument_invalid")
    assert await sent(pool) == 0


async def test_s106_the_project_has_a_budget_of_a_day(sms_api: Api, pool: Pool, project: projects.Project):
    """Whatever the numbers and networks."""
    await projects.set_limit(pool, "shop", rule="sms.day", numbers=[2, 86_400])
    for number in range(4):
        assert (await ask(sms_api, f"+49151000000{number:02}")).status == 201
    assert await sent(pool) == 2


@pytest.mark.parametrize(("rule", "step"), [("sms.number", 0), ("sms.ip", 1)])
async def test_s106_a_number_and_a_network_have_their_numbers(sms_api: Api, pool: Pool, rule: str, step: int):
    """Ten a day to one number, whatever an hour has left; ten an hour for a network, whatever the numbers."""
    before = {"create_phone_token.ip", "create_phone_token.phone", "sms.hour", "sms.number", "sms.ip"} - {rule}
    for each in before:
        await projects.set_limit(pool, "shop", rule=each, numbers=[])
    answers = [await ask(sms_api, f"+49151000000{number * step:02}") for number in range(12)]
    assert {answer.status for answer in answers} == {201}
    assert await sent(pool) == 10


async def test_s106_a_member_is_bounded_too(sms_api: Api, pool: Pool):
    """429 with Retry-After; the number's budget is one for all routes and accounts."""
    for _ in range(5):
        await ask(sms_api)
    ann = await member(sms_api)
    await ann.set_number(ANN)
    refused = await ann.call("POST", VERIFICATION)
    assert kind(refused) == (429, "general_rate_limit_exceeded")
    assert int(refused.headers["Retry-After"]) > 0
    assert await sent(pool) == 5


@pytest.mark.unlimited
async def test_s107_a_planted_number_opens_no_account(sms_api: Api, pool: Pool, settings: Settings):
    """An attacker sets the victim's number and waits: the victim's code makes an account of the victim's own."""
    attacker = await member(sms_api, "eve@example.com")
    await attacker.set_number(ANN)
    session = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    assert session.status == 201
    mine = (await attacker.call("GET", "/v1/account")).data
    assert session.data["userId"] != mine["$id"]
    assert mine["phone"] == ""


@pytest.mark.unlimited
async def test_s107_a_code_that_another_person_typed_opens_no_account(sms_api: Api, pool: Pool, settings: Settings):
    """An attacker has the victim type the code for the attacker's account: the number is shown there, no more."""
    attacker = await member(sms_api, "eve@example.com")
    assert (await prove(attacker, pool, settings, session=False)).status == 200
    before = (await attacker.call("GET", "/v1/account")).data
    assert before["phoneVerification"] is True
    session = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    assert session.data["userId"] != before["$id"]
    assert (await attacker.call("GET", "/v1/account")).data["phone"] == ""


@pytest.mark.unlimited
async def test_s107_the_owner_of_the_mailbox_is_alone(sms_api: Api, pool: Pool, settings: Settings):
    """An attacker made the account with the owner's address and the attacker's phone: a code by mail ends both."""
    attacker = await member(sms_api)
    assert (await prove(attacker, pool, settings)).status == 200
    asked = {"userId": "asked", "email": EMAIL}
    assert (await sms_api.call("POST", "/v1/account/tokens/email", json=asked, modern=True)).status == 201
    row = await pool.fetchrow("select * from tokens where kind = 'otp'")
    token = tokens.Token(
        "shop", row["id"], row["kind"], None, "asked", EMAIL, None, row["kid"], row["created_at"], row["expires_at"]
    )
    body = {"userId": "asked", "secret": token_secrets.secret_of(settings.key_ring, token)}
    owner = await sms_api.call("POST", "/v1/account/sessions/token", json=body, modern=True)
    assert owner.status == 201
    user = await sms_api.call("GET", "/v1/account", headers={"Cookie": cookie_of(owner)}, modern=True)
    assert (user.data["phone"], user.data["phoneVerification"]) == ("", False)
    session = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    assert session.data["userId"] != owner.data["userId"]
    assert await pool.fetch("select 1 from phone_changes where user_id = $1", owner.data["userId"]) == []


@pytest.mark.unlimited
async def test_s107_a_change_can_be_undone(sms_api: Api, pool: Pool, settings: Settings):
    """The notice's link brings the proved number back, and the thief's signs in nowhere."""
    ann = await member(sms_api)
    await prove(ann, pool, settings)
    await pool.execute("update users set email_verified = true, proved_by_holder = true")
    assert (await ann.set_number(BOB)).data["phone"] == BOB
    row = await pool.fetchrow("select * from tokens where kind = 'disavowal'")
    token = tokens.Token(
        "shop", row["id"], row["kind"], row["user_id"], None, row["email"], row["email_version"], row["kid"],
        row["created_at"], row["expires_at"],
    )  # fmt: skip
    body = {"userId": row["user_id"], "secret": token_secrets.secret_of(settings.key_ring, token)}
    undone = await sms_api.call("POST", "/auth/disavowal?project=shop", data=body)
    assert undone.status == 200, undone.data
    found = await pool.fetchrow("select phone, phone_verified_at is not null, phone_by_holder from users")
    assert tuple(found) == (ANN, True, True)


@pytest.mark.unlimited
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("phone", {"phone": BOB, "password": "eves own horse"}),
        ("email", {"email": "eve@evil.example", "password": "eves own horse"}),
        ("password", {"password": "eves own horse"}),
    ],
    ids=["number", "address", "password"],
)
async def test_s107_a_stolen_session_changes_nothing_untold(
    sms_api: Api, pool: Pool, settings: Settings, path: str, body: dict[str, str]
):
    """An account with a number alone has no password to ask for and no address to tell: it takes a recent sign-in.

    That goes for the first password and address too, which would otherwise be the way to another number.
    """
    opened = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    thief = Phone(sms_api, {"Cookie": cookie_of(opened)})
    await pool.execute("update sessions set created_at = created_at - interval '11 minutes'")
    refused = await thief.call("PATCH", f"/v1/account/{path}", **body)
    assert kind(refused) == (401, "user_reauthentication_required")
    found = await pool.fetchrow("select phone, phone_by_holder, email, password_hash from users")
    assert tuple(found) == (ANN, True, None, None)
    again = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    owner = Phone(sms_api, {"Cookie": cookie_of(again)})
    assert (await owner.call("PATCH", f"/v1/account/{path}", **body)).status == 200


@pytest.mark.unlimited
async def test_s13_of_twenty_at_once_one_gets_in(sms_api: Api, pool: Pool, settings: Settings):
    """One code, twenty requests at once: one session, and one account."""
    await ask(sms_api)
    body = {"userId": "asked", "secret": await code_of(pool, settings)}
    answers = await asyncio.gather(
        *(sms_api.call("PUT", SESSION, json=body, modern=True) for _ in range(4)),
        *(sms_api.call("POST", "/v1/account/sessions/token", json=body, modern=True) for _ in range(16)),
    )
    assert one_won(answer.status for answer in answers)
    assert tuple(await pool.fetchrow("select (select count(*) from users), (select count(*) from sessions)")) == (1, 1)


@pytest.mark.unlimited
async def test_s107_of_two_accounts_that_prove_a_number_at_once_one_has_it(
    sms_api: Api, pool: Pool, settings: Settings
):
    """Both hold the phone's codes; the number is proved once."""
    calls = []
    for name in ("ann", "bob"):
        of = await member(sms_api, f"{name}@example.com")
        await of.set_number(ANN)
        token = await of.call("POST", VERIFICATION)
        calls.append((of, {"userId": token.data["userId"], "secret": await code_of(pool, settings)}))
    answers = await asyncio.gather(*(of.call("PUT", VERIFICATION, **body) for of, body in calls))
    assert sorted(answer.status for answer in answers) in ([200, 401], [200, 409])
    assert len(await pool.fetch("select 1 from users where phone_verified_at is not null")) == 1
    assert len(await pool.fetch("select 1 from users where phone is not null")) == 1


@pytest.mark.unlimited
async def test_s15_a_code_of_one_kind_is_refused_by_the_other_routes(sms_api: Api, pool: Pool, settings: Settings):
    """All codes of one member and number, asked for under one id: each opens its own route and no other."""
    ann = await member(sms_api)
    await ann.set_number(ANN)
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    assert (await ann.call("POST", VERIFICATION)).status == 201
    codes = {Kind.PHONE_VERIFICATION: await code_of(pool, settings)}
    assert (await ask(sms_api, asked_as=user_id)).status == 201
    codes[Kind.PHONE_LOGIN] = await code_of(pool, settings)
    await pool.execute("update users set phone_verified_at = now(), phone_by_holder = true")
    challenge = (await ann.call("POST", "/v1/account/mfa/challenges", factor="phone")).data["$id"]
    codes[Kind.MFA_PHONE] = await code_of(pool, settings)
    assert {*codes} == {*OF_PHONES}
    assert len({*codes.values()}) == 3
    routes = {
        Kind.PHONE_VERIFICATION: [("PUT", VERIFICATION), ("PUT", "/v1/account/verification/phone")],
        Kind.PHONE_LOGIN: [("PUT", SESSION), ("POST", "/v1/account/sessions/token")],
        None: [
            ("PUT", "/v1/account/verifications/email/otp"), ("PUT", "/v1/account/recovery/otp"),
            ("PUT", "/v1/account/recovery"), ("PUT", "/v1/account/verification"),
            ("PUT", "/v1/account/sessions/magic-url"),
        ],
    }  # fmt: skip
    for of, paths in routes.items():
        for method, path in paths:
            for kind_, code in codes.items():
                if kind_ is not of:
                    body = {"userId": user_id, "secret": code, "password": "another horse"}
                    body |= {"passwordAgain": "another horse"} if path.endswith("/recovery") else {}
                    answer = await sms_api.call(method, path, json=body, modern=True)
                    assert kind(answer) == (401, "user_invalid_token"), (path, kind_)
    for kind_ in (Kind.PHONE_VERIFICATION, Kind.PHONE_LOGIN):
        answer = await ann.call("PUT", "/v1/account/mfa/challenges", challengeId=challenge, otp=codes[kind_])
        assert kind(answer) == (401, "user_invalid_token")
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 1


@pytest.mark.unlimited
async def test_s12_five_wrong_guesses_end_a_code(sms_api: Api, pool: Pool, settings: Settings):
    """Then the right one is refused like a wrong one."""
    await ask(sms_api)
    code = await code_of(pool, settings)
    for guess in [other(code)] * 5 + [code]:
        answer = await sms_api.call("PUT", SESSION, json={"userId": "asked", "secret": guess}, modern=True)
        assert kind(answer) == (401, "user_invalid_token")


async def test_s95_wrong_codes_count_for_all_numbers_together(sms_api: Api, pool: Pool, settings: Settings):
    """Twenty an hour for a network, whatever the ids; then a right one is not looked at either."""
    answers = [
        await sms_api.call("PUT", path, json={"userId": f"user{number}", "secret": "000000"}, modern=True)
        for number in range(11)
        for path in (SESSION, VERIFICATION)
    ]
    assert [answer.status for answer in answers].count(429) == 2
    assert answers[-1].status == 429


@pytest.mark.unlimited
async def test_s107_a_recycled_number_opens_no_account_that_has_another_way_in(
    sms_api: Api, pool: Pool, settings: Settings
):
    """Nobody has used it for 400 days: who has the number now may be another person. Signing in otherwise ends that."""
    ann = await member(sms_api)
    await prove(ann, pool, settings)
    old = "update users set phone_verified_at = now() - interval '401 days', accessed_at = now() - interval '401 days'"
    await pool.execute(old)
    assert kind(await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)) == (401, "user_invalid_token")
    await sms_api.sign_in()
    assert (await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)).status == 201
    await pool.execute(f"{old}, password_hash = null")
    await pool.execute(
        "insert into identities (project_id, user_id, id, provider, issuer, subject) "
        "select 'shop', id, 'i', 'oidc', 'https://issuer.example', 's' from users"
    )
    assert kind(await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)) == (401, "user_invalid_token")
    bob = await member(sms_api, "bob@example.com")
    assert kind(await prove(bob, pool, settings)) == (409, "user_phone_already_exists")
    await pool.execute("delete from identities")
    assert (await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)).status == 201, "it is all that there is"


@pytest.mark.unlimited
async def test_s03_the_same_is_written_for_every_number(sms_api: Api, pool: Pool, settings: Settings):
    """With a proved account, a blocked one, an unproved one, or none: one token, one SMS; and one answer."""
    ann = await member(sms_api)
    await prove(ann, pool, settings)
    seen = []
    for number, change in ((ANN, ""), (BOB, ""), (ANN, "status = 'blocked'"), (ANN, "phone_verified_at = null")):
        if change:
            await pool.execute(f"update users set {change}")
        await pool.execute("delete from tokens")
        await pool.execute("delete from sms")
        answer = await ask(sms_api, number)
        rows = await pool.fetchrow(
            "select (select count(*) from tokens), (select count(*) from sms), (select count(*) from users)"
        )
        seen.append((answer.status, frozenset(answer.data), answer.data["userId"], tuple(rows)))
    assert {*seen} == {(201, seen[0][1], "asked", (1, 1, 1))}


def devices(answer: Any) -> str:
    """Return the cookie that makes its browser a known device."""
    return next(line.partition(";")[0] for line in answer.headers.getall("Set-Cookie") if line.startswith("known_"))


async def test_s106_strangers_keep_no_owner_out(sms_api: Api, pool: Pool, settings: Settings):
    """They have ten SMS sent to a number, and more asked for. Its owner's device gets an own one, and so does a member.

    Both have bounds of their own: five an hour.
    """
    opened = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    await projects.set_limit(pool, "shop", rule="create_phone_token.ip", numbers=[])
    await projects.set_limit(pool, "shop", rule="sms.ip", numbers=[])
    forget_projects(sms_api)
    while (await ask(sms_api)).status == 201:
        pass
    assert await sent(pool) == 5
    body = {"userId": "asked", "phone": ANN}
    known = {"Cookie": devices(opened)}
    answers = [await sms_api.call("POST", TOKENS, json=body, headers=known, modern=True) for _ in range(4)]
    assert [answer.status for answer in answers] == [201] * 4
    assert await sent(pool) == 9
    ann = Phone(sms_api, {"Cookie": cookie_of(opened)})
    assert (await ann.call("POST", "/v1/account/mfa/challenges", factor="phone")).status == 201
    assert await sent(pool) == 10
    refused = await ann.call("POST", "/v1/account/mfa/challenges", factor="phone")
    assert kind(refused) == (429, "general_rate_limit_exceeded")


async def test_s95_a_phones_device_is_known_to_its_app(sms_api: Api, pool: Pool, settings: Settings):
    """An account without an address: guessers who use the project's brake up keep its owner's codes of no app out."""
    opened = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    cookies = {"Cookie": f"{devices(opened)}; {cookie_of(opened)}"}
    person = Person(sms_api, pool, cookies)
    app = await person.enrol()
    for number in range(20):
        body = {"userId": f"user{number}", "secret": "000000"}
        assert (await sms_api.call("PUT", VERIFICATION, json=body, modern=True)).status == 401
    assert (await person.prove("totp", await app.unused())).status == 200
