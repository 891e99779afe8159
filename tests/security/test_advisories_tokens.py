"""Mailed secrets of others: used twice, late, elsewhere, or not needed at all."""

import asyncio
from typing import Any

import pytest

from service.app import make
from service.db import Pool
from service.store import projects
from service.store.tokens import Kind
from testkit.api import Api
from testkit.api_keys import key
from testkit.proofs import ANN, WAYS, Post, Proof, Way, use

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
RECOVERY, VERIFICATION, _, MAGIC_URL, _, CODE, *_ = WAYS
URL = "http://localhost/reset"


async def refused(api: Api, way: Way, proof: Proof, **more: Any) -> None:
    answer = await use(api, way, proof, **more)
    assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")


@pytest.mark.advisory("CVE-2026-22751")
async def test_one_time_means_one(api: Api, pool: Pool, ann: str, post: Post):
    """Spring Security looked a one-time token up and then removed it: two at once both got in. Here one of ten does."""
    proof = await post.issue(Kind.MAGIC_URL, ann)
    answers = await asyncio.gather(*(use(api, MAGIC_URL, proof) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [201] + [401] * 9
    assert (await pool.fetchrow("select count(*) from sessions"))[0] == 1


@pytest.mark.advisory("CVE-2026-28268")
async def test_a_reset_link_is_gone_after_its_use(api: Api, ann: str, post: Post):
    """The class of: a reset token that stays good once it was used. Here the second use sets no password."""
    proof = await post.issue(Kind.RECOVERY, ann)
    assert (await use(api, RECOVERY, proof)).status == 200
    other = {"password": "a third horse", "passwordAgain": "a third horse"}
    await refused(api, RECOVERY, proof, body=other)
    await api.sign_in(password="another horse")


@pytest.mark.advisory("CVE-2025-63314")
async def test_a_used_link_does_not_come_back(aiohttp_client: Any, api: Api, ann: str, post: Post):
    """The class of: a static or reusable reset token. Here it is gone for a process that starts afterwards, too."""
    proof = await post.issue(Kind.RECOVERY, ann)
    assert (await use(api, RECOVERY, proof)).status == 200
    await refused(Api(await aiohttp_client(make(post.settings))), RECOVERY, proof)


@pytest.mark.advisory("CVE-2026-73431")
async def test_a_login_link_is_for_one_login(api: Api, ann: str, post: Post):
    """The class of: a mailed login that can be replayed, after sign-out too. Here neither link nor code can."""
    for way in (MAGIC_URL, CODE):
        proof = await post.issue(way.kind, ann)
        answer = await use(api, way, proof)
        assert answer.status == 201
        await refused(api, way, proof)


@pytest.mark.advisory("CVE-2026-105785")
async def test_a_token_is_for_its_own_purpose(api: Api, ann: str, post: Post):
    """The class of: one kind of token taken for another. Here a proof of an address resets no password."""
    proof = await post.issue(Kind.VERIFICATION, ann)
    await refused(api, RECOVERY, proof)
    await refused(api, MAGIC_URL, proof)


@pytest.mark.advisory("CVE-2025-69614")
async def test_a_token_is_for_its_own_user(api: Api, pool: Pool, ann: str, post: Post):
    """The class of: a valid reset token with another's id beside it. Here the id is a part of what the token proves."""
    eve = (await api.sign_up("eve@evil.example"))["$id"]
    proof = await post.issue(Kind.RECOVERY, eve, email="eve@evil.example")
    await refused(api, RECOVERY, proof, body={"userId": ann})
    await api.sign_in()
    assert (await pool.fetchrow("select count(*) from events where name = 'account.recovery.update'"))[0] == 0


@pytest.mark.advisory("CVE-2023-26481")
async def test_a_link_is_for_its_own_tenant(api: Api, pool: Pool, ann: str, post: Post):
    """A recovery link made in one place opened the flow in another (authentik). Here a project's link is its own."""
    await projects.create(pool, "other", name="Other")
    elsewhere = {"X-Appwrite-Project": "other"}
    body = {"userId": ann, "email": ANN, "password": "correct horse"}
    assert (await api.call("POST", "/v1/account", json=body, headers=elsewhere)).status == 201
    await refused(api, RECOVERY, await post.issue(Kind.RECOVERY, ann), headers=elsewhere)


@pytest.mark.advisory("CVE-2026-18363")
async def test_late_is_late(api: Api, ann: str, post: Post):
    """The class of: a token accepted after its end. Here the database's clock decides."""
    for way in WAYS:
        proof = await post.issue(way.kind, ann)
        await post.pool.execute("update tokens set expires_at = now() - interval '1 second'")
        await refused(api, way, proof)


@pytest.mark.advisory("CVE-2026-21622")
@pytest.mark.parametrize("expire", ["9999999999", "", "NaN", "-1", None, "2999-01-01T00:00:00.000+00:00", ["x"]])
async def test_a_link_does_not_say_when_it_ends(api: Api, ann: str, post: Post, expire: Any):
    """The class of: an end that is read from the token, or skipped where it is odd. Here the row's end counts alone."""
    proof = await post.issue(Kind.RECOVERY, ann)
    await post.pool.execute("update tokens set expires_at = now() - interval '1 second'")
    await refused(api, RECOVERY, proof, body={"expire": expire})


@pytest.mark.advisory("CVE-2026-9087")
async def test_a_proof_is_of_one_address(api: Api, pool: Pool, ann: str, post: Post):
    """The class of: a verification link that proves whatever the address is by then. Here it dies with the change."""
    proof = await post.issue(Kind.VERIFICATION, ann)
    body = {"email": "victim@example.com", "password": "correct horse"}
    assert (await api.call("PATCH", "/v1/account/email", json=body, headers=await api.sign_in())).status == 200
    await refused(api, VERIFICATION, proof)
    assert (await pool.fetchrow("select email_verified from users"))[0] is False


@pytest.mark.advisory("django-allauth 65.12.1")
async def test_a_row_that_was_changed_is_not_proved(api: Api, pool: Pool, ann: str, post: Post):
    """django-allauth proved an address that was changed in between. Here its version is compared."""
    proof = await post.issue(Kind.VERIFICATION, ann)
    operator = await key(pool)
    body = {"email": "victim@example.com"}
    assert (await api.call("PATCH", f"/v1/users/{ann}/email", json=body, headers=operator)).status == 200
    await refused(api, VERIFICATION, proof)
    assert (await pool.fetchrow("select email_verified from users"))[0] is False


@pytest.mark.advisory("CVE-2026-18963")
@pytest.mark.parametrize("secret", [None, "", [], {}, 0, True, "0", "null", {"$ne": ""}, ["0f" * 128]], ids=repr)
async def test_no_step_is_skipped(api: Api, ann: str, secret: Any):
    """The class of: Keycloak's reset flow finished without its first step. Here without a token there is no reset."""
    body = {"userId": ann, "secret": secret, "password": "another horse", "passwordAgain": "another horse"}
    answer = await api.call("PUT", "/v1/account/recovery", json=body)
    assert answer.status == (401 if isinstance(secret, str) and secret else 400)
    await api.sign_in()


@pytest.mark.advisory("CVE-2023-7028")
async def test_an_address_is_one_text(api: Api, pool: Pool, ann: str):
    """GitLab took a list of addresses and mailed the reset to all of them. Here a list is no address."""
    for email in ([ANN, "eve@evil.example"], [ANN], {"0": ANN}, {"email": ANN}):
        answer = await api.call("POST", "/v1/account/recovery", json={"email": email, "url": URL})
        assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    form = "email[]=ann@example.com&email[]=eve@evil.example&url=http://localhost/reset"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await api.call("POST", "/v1/account/recovery", data=form, headers=headers)).status == 400
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 0


@pytest.mark.advisory("GHSA-xv97-c62v-4587")
async def test_an_address_is_not_folded(api: Api, pool: Pool, ann: str):
    """The class of: a look-alike address normalised to the victim's, and mailed as typed. Here it is refused.

    A domain in other letters is another domain: what is asked for it goes there, and to nobody's account.
    """
    for email in ("ann@ｅxample.com", "ann＠example.com", "ann@example。com", "ａnn@example.com"):
        answer = await api.call("POST", "/v1/account/recovery", json={"email": email, "url": URL})
        assert answer.status == 400
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 0
    await api.call("POST", "/v1/account/recovery", json={"email": "ann@exámple.example", "url": URL})
    assert (await pool.fetchrow("select recipient from mails"))[0] == "ann@xn--exmple-qta.example"


@pytest.mark.advisory("GHSA-7rqj-j65f-68wh")
@pytest.mark.parametrize(
    "email",
    ["ann@example.com,eve@evil.example", "ann@example.com;eve@evil.example", "ann@example.com eve@evil.example",
     "Ann <ann@example.com>", "ann@example.com\neve@evil.test", '"ann@example.com" <eve@evil.example>',
     '"eve@evil.example> "@example.com', "ann@example.com\x00@evil.test", "ann@example.com(eve@evil.example)"],
    ids=ascii,
)  # fmt: skip
async def test_two_parsers_read_one_address(api: Api, pool: Pool, ann: str, email: str):
    """The class of: the check reads one address, the mailer another. Here what could be read twice is refused."""
    answer = await api.call("POST", "/v1/account/recovery", json={"email": email, "url": URL})
    assert answer.status == 400
    assert (await pool.fetchrow("select count(*) from mails"))[0] == 0


@pytest.mark.advisory("CVE-2026-26273")
async def test_no_answer_holds_a_secret(api: Api, ann: str, post: Post):
    """The class of: the reset token in the answer to whoever asked. Here the field is there, and empty."""
    member = await api.sign_in()
    for method, path, body in (
        ("POST", "/v1/account/recovery", {"email": ANN, "url": URL}),
        ("POST", "/v1/account/verification", {"url": URL}),
        ("POST", "/v1/account/sessions/magic-url", {"email": ANN}),
        ("POST", "/v1/account/tokens/email", {"email": ANN, "userId": "unique()"}),
    ):
        answer = await api.call(method, path, json=body, headers=member if "verification" in path else {})
        assert answer.status == 201, answer.data
        assert answer.data["secret"] == ""
