"""Uses of a private sign-up's secret, and the acts that end it (S05, S13, S15, S18)."""

import asyncio

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import projects, signups, token_secrets, tokens
from service.store.tokens import Kind
from testkit.api import Api, cookie_of
from testkit.forms import Page
from testkit.hosted_pages import open_link, press
from testkit.outbox import claim as claim_mail
from testkit.proofs import ANN, WAYS, Post, Proof, deadlocks, use
from worker.mail import compose

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]

RECOVERY, VERIFICATION, *_, CODE = WAYS[:6]


@pytest.fixture(autouse=True)
async def private(pool: Pool, project: projects.Project) -> None:
    await projects.change(pool, "shop", private_signup=True)


async def proof_of(pool: Pool, settings: Settings, email: str = ANN) -> Proof:
    """Proof in the mail to this address, of its last sign-up."""
    row = await pool.fetchrow("select id from tokens where email = $1 order by created_at desc limit 1", email)
    columns = ", ".join(tokens.Token.__dataclass_fields__).replace("requested_user_id", "asked_as")
    token = tokens.Token(*await pool.fetchrow(f"select {columns} from tokens where id = $1", row[0]))
    return Proof(token.id, token.requested_user_id or "", token_secrets.secret_of(settings.key_ring, token))


async def login(api: Api, password: str = "correct horse") -> int:
    return (await api.call("POST", "/v1/account/sessions", json={"email": ANN, "password": password})).status


async def ask(api: Api, password: str = "correct horse") -> dict[str, str]:
    """A sign-up; the header that makes a request the same browser's."""
    answer = await api.call("POST", "/v1/account", json={"email": ANN, "password": password})
    assert answer.status == 201
    return {"Cookie": cookie_of(answer)}


def bare(proof: Proof) -> dict[str, str]:
    """As every SDK sends it: without a password."""
    return {"userId": proof.user_id, "secret": proof.secret}


async def prove(api: Api, proof: Proof, *, password: str = "", browser: dict[str, str] | None = None) -> int:
    body = bare(proof) | ({"password": password} if password else {})
    return (await api.call("PUT", "/v1/account/verification", json=body, headers=browser)).status


async def test_of_several_sign_ups_the_one_whose_link_is_used_counts(api: Api, pool: Pool, settings: Settings):
    """A stranger who signs up with the same address gets nothing: its owner's link ends that one, password and all."""
    await api.sign_up(ANN, "a strangers horse")
    strangers = await proof_of(pool, settings)
    browser = await ask(api)
    assert await prove(api, await proof_of(pool, settings), browser=browser) == 200
    assert await prove(api, strangers) == 401
    assert (await login(api), await login(api, "a strangers horse")) == (201, 401)
    assert (await pool.fetchrow("select count(*) from sign_ups"))[0] == 0


async def test_s68_the_first_letter_gives_no_stranger_the_account(api: Api, pool: Pool, settings: Settings):
    """Two letters that look alike: whichever is opened, the password of who asked from elsewhere opens nothing.

    The owner's browser shows the mark of its own sign-up, which is none for the stranger's: there is no password until
    a recovery sets one.
    """
    await api.sign_up(ANN, "a strangers horse")
    strangers = await proof_of(pool, settings)
    browser = await ask(api, "my own horse")
    assert await prove(api, strangers, browser=browser) == 200
    assert [await login(api, password) for password in ("a strangers horse", "my own horse")] == [401, 401]
    assert (await pool.fetchrow("select email_verified, password_hash from users"))[:] == (True, None)
    (user_id,) = (await pool.fetchrow("select id from users"))[:]
    recovery = await Post(pool, settings).issue(Kind.RECOVERY, user_id)
    assert (await use(api, RECOVERY, recovery)).status == 200
    assert await login(api, "another horse") == 201


async def test_the_password_that_comes_with_the_proof_is_the_accounts(api: Api, pool: Pool, settings: Settings):
    """From any browser, with or without a mark; the one that was asked for opens nothing then."""
    browser = await ask(api, "a strangers horse")
    assert await prove(api, await proof_of(pool, settings), password="my own horse", browser=browser) == 200
    assert (await login(api, "my own horse"), await login(api, "a strangers horse")) == (201, 401)


async def test_a_password_that_is_refused_costs_the_link_nothing(api: Api, pool: Pool, settings: Settings):
    """The rules are those of every new password; who holds the link may try as often as it takes."""
    await ask(api)
    proof = await proof_of(pool, settings)
    for _ in range(3):
        assert await prove(api, proof, password="short") == 400
        assert await prove(api, proof, password="password1") == 400
        assert await prove(api, proof, password="ann@example.com") == 400
    assert (await pool.fetchrow("select attempts from tokens"))[0] == 0
    assert await prove(api, proof, password="my own horse") == 200


async def test_a_mark_is_for_one_sign_up_and_opens_nothing(api: Api, pool: Pool, settings: Settings):
    """Everybody who asks gets one of the same form; without the mailed secret it is worth nothing."""
    (name, mark), (_, other) = [(await ask(api))["Cookie"].split("=") for _ in range(2)]
    assert name == "sign_up_shop"
    assert mark != other
    assert len(mark) == len(other) == 32
    proof = await proof_of(pool, settings)
    wrong = Proof(proof.id, proof.user_id, proof.secret[:-1] + ("0" if proof.secret[-1] != "0" else "1"))
    assert await prove(api, wrong, browser={"Cookie": f"sign_up_shop={other}"}) == 401
    assert await prove(api, proof, browser={"Cookie": f"sign_up_shop={mark}"}) == 200
    assert await login(api) == 401


async def test_the_page_asks_for_the_password(api: Api, pool: Pool, settings: Settings):
    """A bad one is asked for again with the reason, a good one makes the account; the page itself does nothing."""
    await ask(api, "a strangers horse")
    proof = await proof_of(pool, settings)
    asked = await open_link(api, f"/auth/sign-up?project=shop&userId={proof.user_id}&secret={proof.secret}&expire=1")
    page = Page(asked.data)
    assert (asked.status, page.heading) == (200, "Confirm your e-mail address")
    assert 'name="password"' in asked.data
    assert page.fields.keys() >= {"userId", "secret"}
    refused = {
        "": "too short",
        "short": "too short",
        "password1": "Too many people",
        "ann@example.com": "contains",
    }
    for password, why in refused.items():
        again = await press(api, page, typed={"password": password})
        assert (again.status, Page(again.data).heading) == (400, "Confirm your e-mail address")
        assert why in again.data
        assert Page(again.data).form == page.form
        assert Page(again.data).fields["password"] == "", "a refused password is not told back"
    assert (await pool.fetchrow("select count(*) from users"))[0] == 0
    done = await press(api, page, typed={"password": "my own horse"})
    assert (done.status, Page(done.data).heading) == (200, "Your e-mail address is confirmed")
    assert (await login(api, "my own horse"), await login(api, "a strangers horse")) == (201, 401)


async def test_the_letter_leads_to_the_page_that_asks(api: Api, pool: Pool, settings: Settings):
    """A letter of a project without a page leads to ours that asks; a proof for an existing account to the other."""
    await ask(api)
    (mail,) = await pool.fetch("select id from mails")
    claim = await claim_mail(pool, mail[0], worker="w", lease=30)
    assert claim
    token = compose.token_of(claim)
    written = compose.compose(claim, token, settings.key_ring, sender="a@b.test", public_url="http://localhost:8080")
    assert b"http://localhost:8080/auth/sign-up?project" in written.replace(b"=\r\n", b"").replace(b"=3D", b"=")


async def test_s13_of_ten_uses_at_once_one_makes_the_account(api: Api, pool: Pool, settings: Settings):
    """One account, one event, nine invalid tokens."""
    await api.sign_up(ANN)
    proof = await proof_of(pool, settings)
    answers = await asyncio.gather(*(use(api, VERIFICATION, proof) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 9
    assert [row[0] for row in await pool.fetch("select name from events")] == ["account.create"]
    assert (await pool.fetchrow("select count(*) from users"))[0] == 1


async def test_links_of_several_sign_ups_at_once_wait_for_nobody(api: Api, pool: Pool, settings: Settings):
    """Five sign-ups of one address, a code for it besides, all used at once: one account, and no two lock each other.

    What they lock has one order: the user first, then tokens. Whichever of links and code is first makes the account,
    so that the one success is a link's 200 or the code's 201.
    """
    before = await deadlocks(pool)
    for number in range(8):
        email = f"u{number}@example.com"
        links = []
        for _ in range(5):
            await api.sign_up(email)
            links.append(await proof_of(pool, settings, email))
        code = await Post(pool, settings).issue(Kind.OTP, f"u{number}", email=email)
        answers = await asyncio.gather(*(use(api, VERIFICATION, proof) for proof in links), use(api, CODE, code))
        assert min(answer.status for answer in answers) in (200, 201)
        assert [answer.status for answer in answers].count(401) == 5
    assert (await pool.fetchrow("select count(*) from users"))[0] == 8
    assert await deadlocks(pool) == before


async def test_a_sign_up_of_a_taken_address_never_works(api: Api, pool: Pool, settings: Settings):
    """Even if its secret were known: an account that is there is left as it is."""
    await projects.change(pool, "shop", private_signup=False)
    await pool.execute("insert into users (project_id, id, email) values ('shop', 'ann', $1)", ANN)
    await projects.change(pool, "shop", private_signup=True)
    await api.sign_up(ANN, "a strangers horse")
    assert (await use(api, VERIFICATION, await proof_of(pool, settings))).status == 401
    assert (await pool.fetchrow("select password_hash, email_verified from users"))[:] == (None, False)


async def test_a_taken_id_is_replaced_and_not_told(api: Api, pool: Pool, settings: Settings):
    """An id of the client's own choice that somebody has by then: the account gets another one, the secret works."""
    await pool.execute("insert into users (project_id, id, email) values ('shop', 'mine', 'bob@example.com')")
    body = {"userId": "mine", "email": ANN, "password": "correct horse"}
    answer = await api.call("POST", "/v1/account", json=body)
    assert (answer.status, answer.data["$id"]) == (201, "mine")
    assert await prove(api, await proof_of(pool, settings), browser={"Cookie": cookie_of(answer)}) == 200
    assert await login(api) == 201


async def test_signing_in_by_mail_ends_what_was_asked_for(api: Api, pool: Pool, settings: Settings):
    """An address proved by a code has an account without a password; no earlier sign-up gives it one."""
    await api.sign_up(ANN, "a strangers horse")
    strangers = await proof_of(pool, settings)
    await api.call("POST", "/v1/account/tokens/email", json={"email": ANN, "userId": "unique()"})
    code = await proof_of(pool, settings)
    assert (await use(api, WAYS[5], code)).status == 201
    assert (await use(api, VERIFICATION, strangers)).status == 401
    assert await login(api, "a strangers horse") == 401


async def test_an_anonymous_account_can_not_ask_for_an_address(api: Api, pool: Pool):
    """Taken or free, it gets the same 400: else anybody could ask, without an account, who has one."""
    answer = await api.call("POST", "/v1/account/sessions/anonymous", json={})
    member = {"Cookie": answer.headers.getall("Set-Cookie")[-1].partition(";")[0]}
    await pool.execute("insert into users (project_id, id, email) values ('shop', 'bob', 'bob@example.com')")
    told = [
        await api.call("PATCH", "/v1/account/email", json={"email": email, "password": "my own horse"}, headers=member)
        for email in ("bob@example.com", "nobody@example.com")
    ]
    assert {(answer.status, answer.data["message"]) for answer in told} == {(400, "User already registered")}


async def test_what_was_asked_for_goes_with_its_token(api: Api, pool: Pool):
    """A sign-up that nobody proves leaves no password hash behind once its link has expired."""
    await api.sign_up(ANN)
    token = await pool.fetchrow("select id, kind, user_id from tokens")
    assert (token["kind"], token["user_id"]) == (Kind.VERIFICATION, None)
    found = await signups.find(pool, "shop", token_id=token["id"])
    assert found
    assert found.password_hash.startswith("$argon2id$")
    await pool.execute("update tokens set expires_at = now() - interval '25 hours'")
    await tokens.delete_expired(pool, most=500)
    assert await signups.find(pool, "shop", token_id=token["id"]) is None
