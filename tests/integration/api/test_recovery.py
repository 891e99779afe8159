"""Recovery over HTTP; the mail's way to the relay is in tests/integration/worker."""

import asyncio

import pytest

from service.app import make
from service.crypto import password_hashing
from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import Settings
from service.store import projects, token_secrets, tokens, users
from service.store.tokens import Kind
from testkit.api import Api

ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}


async def link_for(pool: Pool, settings: Settings, user_id: str, *, project: str = "shop", **facts) -> dict[str, str]:
    """The content of the mail: a token that a worker has given to its owner, and its secret."""
    token = await tokens.issue(
        pool, project, kind=facts.get("kind", Kind.RECOVERY), email=facts.get("email", "ann@example.com"),
        kid="test", seconds=3600, user_id=user_id, email_version=1,
    )  # fmt: skip
    return {"userId": user_id, "secret": token_secrets.secret_of(settings.key_ring, token)}


def chosen(proof: dict[str, str], password: str = "a new password") -> dict[str, str]:
    return proof | {"password": password, "passwordAgain": password}


async def put(api: Api, body: dict[str, str], *, modern: bool = False):
    return await api.call("PUT", "/v1/account/recovery", json=body, modern=modern)


async def test_asking_leaves_a_token_a_mail_and_an_event(api: Api, pool: Pool):
    """One transaction: a token of one hour, a pending mail with the caller's url, an event for nobody as yet."""
    await api.sign_up()
    answer = await api.call("POST", "/v1/account/recovery", json=ASK, headers={"X-Appwrite-Locale": "de"})
    assert answer.status == 201
    token = await pool.fetchrow("select *, extract(epoch from expires_at - created_at) as seconds from tokens")
    assert answer.data["$id"] != token["id"]  # who asks is told nothing that a guess could be aimed at
    assert answer.data["secret"] == ""
    assert answer.data["expire"] == int(token["expires_at"].timestamp())
    assert (token["kind"], token["email"], token["user_id"]) == ("recovery", "ann@example.com", None)
    assert token["seconds"] == 3600
    mail = await pool.fetchrow("select * from mails")
    assert (mail["state"], mail["letter"], mail["locale"]) == ("pending", "recovery", "de")
    assert (mail["token_id"], mail["user_id"], mail["facts"]["url"]) == (token["id"], None, ASK["url"])
    assert mail["deadline_at"] == token["expires_at"]
    event = await pool.fetchrow("select * from events where name = 'account.recovery.create'")
    assert (event["user_id"], event["token_id"], event["ready"]) == (None, token["id"], False)


@pytest.mark.parametrize(
    ("named", "accepted"), [({}, ["pt-BR", "pt", "en"]), ({"X-Appwrite-Locale": "zh-TW"}, None)], ids=["browser", "app"]
)
async def test_a_mail_remembers_the_browsers_languages(
    api: Api, pool: Pool, named: dict[str, str], accepted: list[str] | None
):
    """The worker needs them when the app names no locale: the user whose mail it is may prefer another one."""
    browser = {"Accept-Language": "pt-BR,pt;q=0.9,en;q=0.8"}
    await api.call("POST", "/v1/account/recovery", json=ASK, headers=browser | named)
    mail = await pool.fetchrow("select locale, facts from mails")
    assert (mail["locale"], mail["facts"].get("accepted")) == (named.get("X-Appwrite-Locale", "en"), accepted)


async def test_a_recovery_changes_the_password(api: Api, pool: Pool, settings: Settings):
    """Afterwards only the new password opens the account, and its address is proved."""
    user = await api.sign_up()
    answer = await put(api, chosen(await link_for(pool, settings, user["$id"])))
    assert answer.status == 200
    assert answer.data["userId"] == user["$id"]
    assert answer.data["secret"] == ""
    old = await api.call("POST", "/v1/account/sessions", json={"email": "ann@example.com", "password": "correct horse"})
    assert old.status == 401
    member = await api.sign_in(password="a new password")
    account = (await api.call("GET", "/v1/account", headers=member)).data
    assert account["emailVerification"] is True
    assert account["passwordUpdate"] >= user["passwordUpdate"]


async def test_a_recovery_ends_every_session_and_link(api: Api, pool: Pool, settings: Settings):
    """A recovery ends every session; every other link of the account is dead, a verification's too."""
    user = await api.sign_up()
    member = await api.sign_in()
    earlier = await link_for(pool, settings, user["$id"])
    verification = await link_for(pool, settings, user["$id"], kind=Kind.VERIFICATION)
    assert (await put(api, chosen(await link_for(pool, settings, user["$id"])))).status == 200
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
    assert (await put(api, chosen(earlier))).status == 401
    assert (await api.call("PUT", "/v1/account/verification", json=verification)).status == 401


async def test_several_links_may_live_at_once(api: Api, pool: Pool, settings: Settings):
    """Asking again does not kill the link that is under way: nobody can take it from its owner."""
    user = await api.sign_up()
    first = await link_for(pool, settings, user["$id"])
    await link_for(pool, settings, user["$id"])
    assert (await put(api, chosen(first))).status == 200


@pytest.mark.parametrize("modern", [False, True])
async def test_a_link_works_once(api: Api, pool: Pool, settings: Settings, modern: bool):
    """A second use is an invalid token: 401 in both eras."""
    user = await api.sign_up()
    body = chosen(await link_for(pool, settings, user["$id"]))
    assert (await put(api, body, modern=modern)).status == 200
    again = await put(api, body, modern=modern)
    assert (again.status, again.data["type"]) == (401, "user_invalid_token")


async def test_parallel_uses_of_a_link_change_the_password_once(
    api: Api, pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """Of several who use one link at once exactly one gets through."""
    monkeypatch.setattr(password_hashing, "_PATIENCE", 30.0)  # a busy machine may hash slowly
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"])
    answers = await asyncio.gather(*(put(api, chosen(proof, f"new password {number}")) for number in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401, 401]
    winner = [answer.status for answer in answers].index(200)
    await api.sign_in(password=f"new password {winner}")


async def test_a_link_expires(api: Api, pool: Pool, settings: Settings):
    """Past its hour a link opens nothing."""
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"])
    await pool.execute("update tokens set expires_at = now() - interval '1 second'")
    assert (await put(api, chosen(proof))).status == 401


async def test_a_link_is_for_its_own_user_project_kind_and_address(api: Api, pool: Pool, settings: Settings):
    """Another user's id, another project, a verification's secret, a changed address: all are invalid tokens."""
    user, eve = await api.sign_up(), await api.sign_up("eve@example.com")
    await projects.create(pool, "other", name="Other")
    proof = await link_for(pool, settings, user["$id"])
    verification = await link_for(pool, settings, user["$id"], kind=Kind.VERIFICATION)
    tries = [
        await put(api, chosen(proof | {"userId": eve["$id"]})),
        await put(api, chosen(verification)),
        await api.call(
            "PUT", "/v1/account/recovery", json=chosen(proof), headers={"X-Appwrite-Project": "other"}
        ),
    ]  # fmt: skip
    await pool.execute("update users set email_version = 2 where id = $1", user["$id"])
    tries.append(await put(api, chosen(proof)))
    assert {(answer.status, answer.data["type"]) for answer in tries} == {(401, "user_invalid_token")}
    await api.sign_in()


async def test_five_wrong_guesses_kill_a_link(api: Api, pool: Pool, settings: Settings):
    """A guess counts against the one token it names; after the fifth even the right secret is refused."""
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"])
    other = await link_for(pool, settings, user["$id"])
    for digit in "01234":
        await put(api, chosen(proof | {"secret": proof["secret"][:-5] + digit * 5}))
    assert (await put(api, chosen(proof))).status == 401
    assert (await put(api, chosen(other))).status == 200


async def test_a_blocked_user_recovers_nothing(api: Api, pool: Pool, settings: Settings):
    """A block holds against a link that was already mailed."""
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"])
    await pool.execute("update users set status = 'blocked'")
    assert (await put(api, chosen(proof))).status == 401
    await pool.execute("update users set status = 'unactivated'")
    await api.sign_in()


async def test_the_password_must_be_given_twice_in_the_legacy_era(api: Api, pool: Pool, settings: Settings):
    """The repetition is required below 0.12; wherever it is sent it must match; a mismatch uses nothing up."""
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"]) | {"password": "a new password"}
    alone = await put(api, proof)
    assert (alone.status, alone.data["message"]) == (400, 'Param "passwordAgain" is not optional.')
    for modern in (False, True):
        answer = await put(api, proof | {"passwordAgain": "another password"}, modern=modern)
        assert (answer.status, answer.data["message"]) == (400, "Passwords must match")
    assert (await put(api, proof, modern=True)).status == 200


async def test_junk_costs_no_hash(aiohttp_client, api: Api, settings: Settings):
    """A secret that opens nothing is refused before any password is hashed."""
    app = make(settings)
    client = await aiohttp_client(app)
    app[SERVICES].passwords.close()  # whoever hashes now gets a 500
    user = await api.sign_up()
    body = chosen({"userId": user["$id"], "secret": "f" * 256})
    answer = await Api(client).call("PUT", "/v1/account/recovery", json=body)
    assert (answer.status, answer.data["type"]) == (401, "user_invalid_token")


async def test_the_user_is_not_told_by_a_race(api: Api, pool: Pool, settings: Settings):
    """A token whose user was deleted meanwhile is an invalid one, not a fault."""
    user = await api.sign_up()
    proof = await link_for(pool, settings, user["$id"])
    await pool.execute("delete from users")
    assert (await users.find(pool, "shop", user_id=user["$id"])) is None
    assert (await put(api, chosen(proof))).status == 401
