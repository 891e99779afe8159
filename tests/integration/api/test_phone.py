"""Numbers of members, their proof, and sign-in by a code; the SMS between them is left to the worker's tests."""

from typing import Any

import pytest

from service.db import Pool
from service.settings import Settings
from testkit.api import Api, cookie_of, kind
from testkit.api_keys import key as key_of
from testkit.phones import ANN, BOB, CODE, NUMBER, SESSION, VERIFICATION, Phone, code_of

PATH = "/v1/account/phone"


async def signed_in(api: Api, email: str = "ann@example.com") -> Phone:
    await api.sign_up(email)
    return Phone(api, await api.sign_in(email))


async def proved(api: Api, pool: Pool, settings: Settings, number: str = ANN, email: str = "ann@example.com") -> Phone:
    """A member whose number is proved."""
    member = await signed_in(api, email)
    assert (await member.set_number(number)).status == 200
    user_id = (await member.call("POST", VERIFICATION)).data["userId"]
    answer = await member.call("PUT", VERIFICATION, userId=user_id, secret=await code_of(pool, settings))
    assert answer.status == 200, answer.data
    return member


async def test_a_number_is_set_and_proved(sms_api: Api, pool: Pool, settings: Settings):
    """It is unproved first; the code of the SMS proves it; then there is nothing to prove, and it is a target."""
    ann = await signed_in(sms_api)
    changed = (await ann.set_number(ANN)).data
    assert (changed["phone"], changed["phoneVerification"]) == (ANN, False)
    token = await ann.call("POST", VERIFICATION)
    assert (token.status, token.data["secret"], token.data["userId"]) == (201, "", changed["$id"])
    body = {"userId": changed["$id"], "secret": await code_of(pool, settings)}
    assert (await ann.call("PUT", VERIFICATION, **body)).status == 200
    user = (await ann.call("GET", "/v1/account")).data
    assert (user["phone"], user["phoneVerification"]) == (ANN, True)
    assert [(target["providerType"], target["identifier"]) for target in user["targets"]][1:] == [("sms", ANN)]
    assert kind(await ann.call("PUT", VERIFICATION, **body)) == (401, "user_invalid_token")
    assert kind(await ann.call("POST", VERIFICATION)) == (409, "user_phone_already_verified")


async def test_a_number_needs_the_password(sms_api: Api):
    """A wrong one changes nothing."""
    ann = await signed_in(sms_api)
    assert kind(await ann.set_number(ANN, password="wrong horse")) == (401, "user_invalid_credentials")
    assert (await ann.call("GET", "/v1/account")).data["phone"] == ""


@pytest.mark.parametrize(
    "number",
    [
        "", "+", "4915112345678", "+04915112345678", "+49 151 12345678", "+49151-12345678", "+491511234567890123",
        "+123456", "+1٧175551212", "+447911123456;ext=1", "tel:+4915112345678", "+4915112345678\n", "+49151123456７8",
        "004915112345678", "+4915112345678 ", "+49(0)15112345678", "+1", "＋4915112345678", "+49151123\x0045678",
    ],
)  # fmt: skip
async def test_nothing_is_repaired(sms_api: Api, number: str):
    """A number is +, country and number in ASCII digits, or it is refused: everywhere by the same words."""
    ann = await signed_in(sms_api)
    for answer in (
        await ann.set_number(number),
        await sms_api.call(
            "POST", "/v1/account/tokens/phone", json={"userId": "unique()", "phone": number}, modern=True
        ),
    ):
        assert kind(answer) == (400, "general_argument_invalid")
        assert answer.data["message"].endswith("can have a maximum of fifteen digits.")


async def test_a_member_without_a_number_has_none_to_prove(sms_api: Api):
    """Nothing is sent."""
    ann = await signed_in(sms_api)
    assert kind(await ann.call("POST", VERIFICATION)) == (400, "user_phone_not_found")


async def test_without_sms_only_what_sends_is_refused(api: Api, pool: Pool):
    """No SMS_URL: 503 where a code is sent; a number is set, and a wrong code is a wrong code."""
    ann = await signed_in(api)
    assert (await ann.set_number(ANN)).status == 200
    disabled = (503, "general_phone_disabled")
    asked = {"userId": "unique()", "phone": ANN}
    assert kind(await api.call("POST", "/v1/account/tokens/phone", json=asked, modern=True)) == disabled
    assert kind(await ann.call("POST", VERIFICATION)) == disabled
    assert kind(await ann.call("POST", "/v1/account/mfa/challenges", factor="phone")) == disabled
    for path in (VERIFICATION, SESSION):
        answer = await api.call("PUT", path, json={"userId": "ann", "secret": "123456"}, modern=True)
        assert kind(answer) == (401, "user_invalid_token")
    assert await pool.fetch("select 1 from sms") == []


async def test_without_countries_nothing_is_sent(sms_api: Api, pool: Pool):
    """SMS_URL alone is not enough: the project names the countries."""
    await pool.execute("update projects set sms_countries = '{}'")
    asked = {"userId": "unique()", "phone": ANN}
    answer = await sms_api.call("POST", "/v1/account/tokens/phone", json=asked, modern=True)
    assert kind(answer) == (503, "general_phone_disabled")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/account/sessions/token"), ("PUT", "/v1/account/sessions/phone")]
)
async def test_a_code_signs_up_and_in(sms_api: Api, pool: Pool, settings: Settings, method: str, path: str):
    """The first use makes the account under the id that was asked for; the next one opens the same account."""
    found = []
    for asked in ("ann", "other"):
        token = await sms_api.call(
            "POST", "/v1/account/tokens/phone", json={"userId": asked, "phone": ANN}, modern=True
        )
        assert (token.status, token.data["userId"], token.data["secret"]) == (201, asked, "")
        body = {"userId": asked, "secret": await code_of(pool, settings)}
        answer = await sms_api.call(method, path, json=body, modern=True)
        assert answer.status == 201, answer.data
        assert (answer.data["provider"], answer.data["factors"], answer.data["providerUid"]) == (
            "phone",
            ["phone"],
            ANN,
        )
        found.append(answer.data["userId"])
        user = await sms_api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)}, modern=True)
        assert (user.data["phone"], user.data["phoneVerification"], user.data["email"]) == (ANN, True, "")
        assert kind(await sms_api.call(method, path, json=body, modern=True)) == (401, "user_invalid_token")
    assert found == ["ann", "ann"]


async def test_the_legacy_path_sends_a_code(sms_api: Api, pool: Pool):
    """The former path of SDKs does the same."""
    answer = await sms_api.call(
        "POST", "/v1/account/sessions/phone", json={"userId": "unique()", "phone": ANN}, modern=True
    )
    assert answer.status == 201
    assert len(await pool.fetch("select 1 from sms where kind = 'phone_login' and recipient = $1", ANN)) == 1


async def test_a_code_signs_in_to_the_account_that_has_proved_the_number(sms_api: Api, pool: Pool, settings: Settings):
    """With address and password or without."""
    ann = await proved(sms_api, pool, settings)
    session = await ann.sign_in_by_code(pool, settings, ANN)
    assert session.status == 201
    assert session.data["userId"] == (await ann.call("GET", "/v1/account")).data["$id"]


async def test_an_unproved_number_may_stand_on_several_accounts(sms_api: Api, pool: Pool, settings: Settings):
    """Nothing tells of the others; who proves it first has it, and the others lose it."""
    bob = await signed_in(sms_api, "bob@example.com")
    assert (await bob.set_number(ANN)).status == 200
    ann = await proved(sms_api, pool, settings)
    assert (await bob.call("GET", "/v1/account")).data["phone"] == ""
    assert (await bob.set_number(ANN)).status == 200
    assert (await ann.call("GET", "/v1/account")).data["phone"] == ANN


async def test_a_proved_number_is_not_taken_by_another_proof(sms_api: Api, pool: Pool, settings: Settings):
    """The prover holds the phone, so the refusal tells nothing that the prover may not know."""
    await proved(sms_api, pool, settings)
    bob = await signed_in(sms_api, "bob@example.com")
    await bob.set_number(ANN)
    user_id = (await bob.call("POST", VERIFICATION)).data["userId"]
    answer = await bob.call("PUT", VERIFICATION, userId=user_id, secret=await code_of(pool, settings))
    assert kind(answer) == (409, "user_phone_already_exists")
    assert (await bob.call("GET", "/v1/account")).data["phoneVerification"] is False


async def test_a_change_kills_the_codes_of_the_former_number(sms_api: Api, pool: Pool, settings: Settings):
    """Even if the former number comes back."""
    ann = await signed_in(sms_api)
    await ann.set_number(ANN)
    user_id = (await ann.call("POST", VERIFICATION)).data["userId"]
    code = await code_of(pool, settings)
    await ann.set_number(BOB)
    assert kind(await ann.call("PUT", VERIFICATION, userId=user_id, secret=code)) == (401, "user_invalid_token")
    await ann.set_number(ANN)
    assert kind(await ann.call("PUT", VERIFICATION, userId=user_id, secret=code)) == (401, "user_invalid_token")


async def test_the_same_number_again_changes_nothing(sms_api: Api, pool: Pool, settings: Settings):
    """The proof stays."""
    ann = await proved(sms_api, pool, settings)
    assert (await ann.set_number(ANN)).data["phoneVerification"] is True


async def test_a_member_without_a_password_gets_one(sms_api: Api, pool: Pool, settings: Settings):
    """As with the first address; a short one is refused."""
    session = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    ann = Phone(sms_api, {"Cookie": cookie_of(session)})
    assert kind(await ann.set_number(BOB, password="short")) == (400, "general_argument_invalid")
    assert (await ann.set_number(BOB)).status == 200
    assert kind(await ann.set_number(ANN, password="wrong horse")) == (401, "user_invalid_credentials")


async def test_the_number_that_a_member_has_may_come_with_the_first_password(
    sms_api: Api, pool: Pool, settings: Settings
):
    """The number's proof stays, the password is set, and the log says so."""
    session = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    ann = Phone(sms_api, {"Cookie": cookie_of(session)})
    answer = await ann.set_number(ANN, password="correct horse battery")
    assert (answer.status, answer.data["phoneVerification"]) == (200, True)
    assert answer.data["passwordUpdate"]
    assert kind(await ann.set_number(BOB, password="wrong horse")) == (401, "user_invalid_credentials")
    recorded = [row[0] for row in await pool.fetch("select name from events")]
    assert recorded.count("account.update.password") == 1


async def test_a_member_who_can_not_sign_in_again_needs_no_recent_sign_in(sms_api: Api, pool: Pool):
    """A guest's session is all that there is: the account gets a number however old it is."""
    opened = await sms_api.call("POST", "/v1/account/sessions/anonymous", json={}, modern=True)
    guest = Phone(sms_api, {"Cookie": cookie_of(opened)})
    await pool.execute("update sessions set created_at = created_at - interval '11 minutes'")
    assert (await guest.set_number(ANN)).data["phone"] == ANN


async def test_an_old_session_changes_the_number_of_a_proved_address(sms_api: Api, pool: Pool, settings: Settings):
    """Without a password too: its owner gets the notice, and can undo it."""
    ann = await proved(sms_api, pool, settings)
    await pool.execute("update users set email_verified = true, password_hash = null, password_updated_at = null")
    await pool.execute("update sessions set created_at = created_at - interval '11 minutes'")
    assert (await ann.set_number(BOB)).data["phone"] == BOB
    assert len(await pool.fetch("select 1 from mails where letter = 'security_changed' and token_id is not null")) == 1


async def test_a_phone_is_a_second_factor(sms_api: Api, pool: Pool, settings: Settings):
    """A proved number, if SMS are sent: its code opens a session that lacks its second step."""
    ann = await proved(sms_api, pool, settings)
    assert (await ann.call("GET", "/v1/account/mfa/factors")).data["phone"] is True
    await ann.call("PATCH", "/v1/account/mfa", mfa=True)
    other = Phone(sms_api, await sms_api.sign_in())
    assert kind(await other.call("GET", "/v1/account")) == (401, "user_more_factors_required")
    challenge = (await other.call("POST", "/v1/account/mfa/challenges", factor="phone")).data["$id"]
    code = await code_of(pool, settings)
    wrong = await other.call(
        "PUT", "/v1/account/mfa/challenges", challengeId=challenge, otp=f"{(int(code) + 1) % 10**6:06}"
    )
    assert kind(wrong) == (401, "user_invalid_token")
    right = await other.call("PUT", "/v1/account/mfa/challenges", challengeId=challenge, otp=code)
    assert (right.status, right.data["factors"]) == (200, ["password", "phone"])
    assert (await other.call("GET", "/v1/account")).status == 200


async def test_a_session_by_phone_has_the_phone_as_its_first_factor(sms_api: Api, pool: Pool, settings: Settings):
    """The same phone is no second one."""
    ann = await proved(sms_api, pool, settings)
    await ann.call("PATCH", "/v1/account/mfa", mfa=True)
    session = await ann.sign_in_by_code(pool, settings, ANN)
    again = Phone(sms_api, {"Cookie": cookie_of(session)})
    assert kind(await again.call("GET", "/v1/account")) == (401, "user_more_factors_required")
    assert (await again.call("GET", "/v1/account/mfa/factors")).data["phone"] is False


async def test_challenges_need_a_proved_number(sms_api: Api):
    """Each lack has its own error."""
    ann = await signed_in(sms_api)
    path = "/v1/account/mfa/challenges"
    assert kind(await ann.call("POST", path, factor="phone")) == (400, "user_phone_not_found")
    await ann.set_number(ANN)
    assert kind(await ann.call("POST", path, factor="phone")) == (400, "user_phone_not_verified")


async def test_the_server_of_the_app_gets_the_code(sms_api: Api, pool: Pool, settings: Settings):
    """A key that may write users may have the code; any other key gets none."""
    asked = {"userId": "ann", "phone": ANN}
    for scopes, shown in ((["sessions.write", "users.write"], True), (["sessions.write"], False)):
        headers = await key_of(pool, *scopes)
        answer = await sms_api.call("POST", "/v1/account/tokens/phone", json=asked, headers=headers, modern=True)
        assert answer.data["secret"] == (await code_of(pool, settings) if shown else "")


async def test_numbers_for_tests_need_no_sms(api: Api, pool: Pool, settings: Settings):
    """Their code is the project's; nothing is sent; they are no second factor."""
    await pool.execute("update projects set mock_phones = $1::jsonb", {ANN: CODE})
    asked = {"userId": "ann", "phone": ANN}
    assert (await api.call("POST", "/v1/account/tokens/phone", json=asked, modern=True)).status == 201
    wrong = await code_of(pool, settings)
    assert kind(await api.call("PUT", SESSION, json={"userId": "ann", "secret": wrong}, modern=True))[0] == 401
    session = await api.call("PUT", SESSION, json={"userId": "ann", "secret": CODE}, modern=True)
    assert session.status == 201
    member = Phone(api, {"Cookie": cookie_of(session)})
    assert (await member.call("GET", "/v1/account/mfa/factors")).data["phone"] is False
    assert await pool.fetch("select 1 from sms") == []
    other = {"userId": "ann", "phone": BOB}
    assert kind(await api.call("POST", "/v1/account/tokens/phone", json=other, modern=True))[0] == 503


async def test_operators_set_numbers(sms_api: Api, pool: Pool, settings: Settings):
    """Set, marked as proved, found in lists, removed; a number that another user has proved is refused."""
    headers = await key_of(pool)

    async def call(method: str, path: str, **options: Any) -> Any:
        return await sms_api.call(method, path, headers=headers, modern=True, **options)

    made = await call("POST", "/v1/users", json={"userId": "ann", "phone": ANN})
    assert (made.status, made.data["phone"], made.data["phoneVerification"]) == (201, ANN, False)
    marked = await call("PATCH", "/v1/users/ann/verification/phone", json={"phoneVerification": True})
    assert marked.data["phoneVerification"] is True
    assert kind(await call("POST", "/v1/users", json={"userId": "bob", "phone": ANN})) == (409, "user_already_exists")
    await call("POST", "/v1/users", json={"userId": "bob", "phone": BOB})
    assert kind(await call("PATCH", "/v1/users/bob/phone", json={"number": ANN})) == (409, "user_phone_already_exists")
    for query in (
        f'{{"method":"equal","attribute":"phone","values":["{ANN}"]}}',
        '{"method":"equal","attribute":"phoneVerification","values":[true]}',
        f'{{"method":"contains","attribute":"phone","values":["{ANN[3:9]}"]}}',
    ):
        listed = await call("GET", "/v1/users", params={"queries[0]": query})
        assert [user["$id"] for user in listed.data["users"]] == ["ann"], query
    assert [user["$id"] for user in (await call("GET", "/v1/users", params={"search": ANN})).data["users"]] == ["ann"]
    session = await Phone(sms_api, {}).sign_in_by_code(pool, settings, ANN)
    assert session.data["userId"] == "ann"
    removed = await call("PATCH", "/v1/users/ann/phone", json={"number": ""})
    assert (removed.data["phone"], removed.data["phoneVerification"]) == ("", False)
    refused = await call("PATCH", "/v1/users/ann/verification/phone", json={"phoneVerification": True})
    assert kind(refused) == (400, "user_phone_not_found")
    assert kind(await call("PATCH", "/v1/users/nobody/phone", json={"number": ANN})) == (404, "user_not_found")
    assert kind(await call("PATCH", "/v1/users/ann/phone", json={"number": NUMBER})) == (
        400,
        "general_argument_invalid",
    )
