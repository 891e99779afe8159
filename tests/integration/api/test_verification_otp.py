"""Verification of an address by a mailed code, over HTTP; the mail itself is tested in tests/integration/worker."""

from typing import Any

import pytest

from service.db import Pool
from service.settings import Settings
from service.store.tokens import Kind
from testkit.api import Api
from testkit.proofs import ANN, Post

PATH = "/v1/account/verifications/email/otp"


async def put(api: Api, proof: Any, **more: Any) -> Any:
    return await api.call("PUT", PATH, json={"userId": proof.user_id, "secret": proof.secret}, modern=True, **more)


async def test_asking_leaves_a_token_a_mail_and_an_event(api: Api, pool: Pool):
    """A token of ten minutes under the member's own id, bound to the address's version; a mail; an event."""
    user, member = await api.sign_up(), await api.sign_in()
    answer = await api.call("POST", PATH, json={"phrase": True}, headers=member, modern=True)
    assert (answer.status, answer.data["userId"], answer.data["secret"]) == (201, user["$id"], "")
    token = await pool.fetchrow("select *, extract(epoch from expires_at - created_at) as seconds from tokens")
    assert (token["kind"], token["user_id"], token["asked_as"]) == ("verification_otp", user["$id"], user["$id"])
    assert (token["email_version"], token["seconds"]) == (1, 600)
    assert answer.data["expire"] == token["expires_at"].isoformat(timespec="milliseconds")
    mail = await pool.fetchrow("select * from mails")
    assert (mail["letter"], mail["recipient"], mail["user_id"]) == ("otp_verification", ANN, user["$id"])
    assert mail["facts"]["phrase"] == answer.data["phrase"] != ""
    event = await pool.fetchrow("select * from events where name = 'account.verification.create'")
    assert (event["user_id"], event["ready"]) == (user["$id"], True)


async def test_without_a_phrase_there_is_none(api: Api, pool: Pool):
    """A body is not needed."""
    await api.sign_up()
    answer = await api.call("POST", PATH, headers=await api.sign_in(), modern=True)
    assert (answer.status, answer.data["phrase"]) == (201, "")


async def test_who_has_nothing_to_prove_is_told_so(api: Api, pool: Pool):
    """A guest, an account without an address, and one whose address is proved: no code, no mail."""
    answer = await api.call("POST", PATH, modern=True)
    assert (answer.status, answer.data["type"]) == (401, "general_unauthorized_scope")
    await api.sign_up()
    member = await api.sign_in()
    for change, told in (
        ("email_verified = true", (409, "user_email_already_verified")),
        ("email_verified = false, email = null", (400, "user_email_not_found")),
    ):
        await pool.execute(f"update users set {change}")
        answer = await api.call("POST", PATH, headers=member, modern=True)
        assert (answer.status, answer.data["type"]) == told
    assert await pool.fetch("select 1 from mails union all select 1 from tokens") == []


async def test_the_code_proves_the_address_once(api: Api, pool: Pool, settings: Settings):
    """No session is needed; the second use is an invalid token, and whoever is signed in stays so."""
    user, member = await api.sign_up(), await api.sign_in()
    proof = await Post(pool, settings).issue(Kind.VERIFICATION_OTP, user["$id"])
    answer = await put(api, proof)
    assert (answer.status, answer.data["userId"], answer.data["secret"]) == (200, user["$id"], "")
    assert (await api.call("GET", "/v1/account", headers=member)).data["emailVerification"] is True
    again = await put(api, proof)
    assert (again.status, again.data["type"]) == (401, "user_invalid_token")
    names = {row[0] for row in await pool.fetch("select name from events")}
    assert "account.verification.update" in names


@pytest.mark.parametrize("own", [True, False])
async def test_only_the_own_session_proves_who_made_the_account(api: Api, pool: Pool, settings: Settings, own: bool):
    """Typed in the app that is signed in the maker of the account reads the mailbox; elsewhere nobody can tell."""
    user, member = await api.sign_up(), await api.sign_in()
    proof = await Post(pool, settings).issue(Kind.VERIFICATION_OTP, user["$id"])
    assert (await put(api, proof, headers=member if own else None)).status == 200
    row = await pool.fetchrow("select email_verified, proved_by_holder from users")
    assert tuple(row) == (True, own)


async def test_two_codes_live_until_one_is_used(api: Api, pool: Pool, settings: Settings):
    """Asking again does not kill the code that is under way; using either kills both, and the account's links."""
    user, post = await api.sign_up(), Post(pool, settings)
    first, second = [await post.issue(Kind.VERIFICATION_OTP, user["$id"]) for _ in range(2)]
    link = await post.issue(Kind.RECOVERY, user["$id"])
    assert (await put(api, first)).status == 200
    assert (await put(api, second)).status == 401
    assert (await api.call("PUT", "/v1/account/recovery", json=link.body)).status == 401


async def test_a_blocked_user_proves_nothing(api: Api, pool: Pool, settings: Settings):
    """Even where a code was left over."""
    user = await api.sign_up()
    proof = await Post(pool, settings).issue(Kind.VERIFICATION_OTP, user["$id"])
    await pool.execute("update users set status = 'blocked'")
    answer = await put(api, proof)
    assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")
    assert (await pool.fetchrow("select email_verified from users"))[0] is False
