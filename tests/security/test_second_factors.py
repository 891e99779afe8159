"""Second factors under attack: planted, guessed, repeated, taken away (S92 to S96)."""

import asyncio
import threading

import pytest
from redis.asyncio import Redis

from service.crypto import password_hashing
from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.tokens import Kind
from testkit.api import Api, cookie_of
from testkit.factors import AUTHENTICATOR, PATH, RECOVERY, Person, mailed_code, signed_in, verified
from testkit.forms import Page
from testkit.hosted_pages import follow_link
from testkit.proofs import ANN, WAYS, Post, use
from tests.security.test_notices import DONE, link

pytestmark = pytest.mark.usefixtures("cheap")
GATED = "user_more_factors_required"
RECOVER, *_, SIGN_IN = WAYS[:6]


@pytest.fixture
async def member(api: Api, pool: Pool) -> Person:
    """Ann, whose address is proved, with an app, recovery codes and `mfa` on."""
    person = await verified(api, pool)
    await person.enrol()
    assert (await person.call("POST", RECOVERY)).status == 201
    assert (await person.call("PATCH", PATH, mfa=True)).status == 200
    return person


async def has(pool: Pool) -> tuple[bool, int, int]:
    """`mfa`, apps and recovery codes that count."""
    row = await pool.fetchrow(
        "select (select bool_or(mfa) from users), "
        "(select count(*) from authenticators where verified_at is not null and removed_at is null), "
        "(select count(*) from recovery_codes where used_at is null and removed_at is null)"
    )
    return tuple(row)


@pytest.mark.parametrize("way", [RECOVER, SIGN_IN], ids=["recovery", "code"])
async def test_s94_a_squatters_factors_go_when_the_owner_comes(api: Api, pool: Pool, post: Post, way):
    """Whoever made an account with another person's address keeps no app, code or switch in it."""
    user_id = (await api.sign_up())["$id"]
    squatter = await signed_in(api, pool)
    await squatter.enrol()
    await squatter.call("POST", RECOVERY)
    await squatter.call("PATCH", PATH, mfa=True)
    assert await has(pool) == (True, 1, 10)
    answer = await use(api, way, await post.issue(way.kind, user_id))
    assert answer.status == way.status
    assert await has(pool) == (False, 0, 0)
    if way is SIGN_IN:
        owner = Person(api, pool, {"Cookie": cookie_of(answer)})
        assert (await owner.call("GET", "/v1/account")).data["mfa"] is False
    assert (await squatter.call("GET", "/v1/account")).status == 401


async def test_s94_a_thief_of_the_mailbox_sheds_no_factor(api: Api, pool: Pool, post: Post, member: Person):
    """A recovery of a proved account leaves its factors: the new password alone opens nothing."""
    user_id = (await member.call("GET", "/v1/account")).data["$id"]
    assert (await use(api, RECOVER, await post.issue(Kind.RECOVERY, user_id))).status == 200
    assert await has(pool) == (True, 1, 10)
    thief = await signed_in(api, pool, password="another horse")
    refused = await thief.call("GET", "/v1/account")
    assert (refused.status, refused.data["type"]) == (401, GATED)
    by_code = await use(api, SIGN_IN, await post.issue(Kind.OTP, user_id))
    thief = Person(api, pool, {"Cookie": cookie_of(by_code)})
    assert (await thief.call("GET", "/v1/account")).data["type"] == GATED


async def test_s92_a_mailbox_is_one_factor_however_often_it_is_proved(
    api: Api, pool: Pool, settings: Settings, post: Post, member: Person
):
    """Whoever only reads the owner's mail signs in by one code, and a second code opens nothing more."""
    user_id = (await member.call("GET", "/v1/account")).data["$id"]
    by_code = await use(api, SIGN_IN, await post.issue(Kind.OTP, user_id))
    thief = Person(api, pool, {"Cookie": cookie_of(by_code)})
    challenge = await thief.challenge("email")
    passed = await thief.answer(challenge, await mailed_code(pool, settings))
    assert (passed.status, passed.data["factors"]) == (200, ["email"])
    assert (await thief.call("GET", "/v1/account")).data["type"] == GATED
    assert (await thief.call("PATCH", PATH, mfa=False)).data["type"] == GATED


async def test_s94_an_undo_brings_removed_factors_back(api: Api, pool: Pool, settings: Settings, member: Person):
    """A thief in a fresh session removes the app, renews the codes and switches second factors off: all comes back.

    The owner uses the link of the first notice; what the thief added since is gone.
    """
    before = [row[0] for row in await pool.fetch("select id from authenticators")]
    codes = {row[0] for row in await pool.fetch("select hash from recovery_codes")}
    assert (await member.call("DELETE", AUTHENTICATOR)).status == 204
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    await member.enrol()
    assert (await member.call("PATCH", RECOVERY)).status == 200
    assert (await member.call("PATCH", PATH, mfa=False)).status == 200
    assert Page((await follow_link(api, address)).data).heading == DONE
    assert await has(pool) == (True, 1, 10)
    assert [row[0] for row in await pool.fetch("select id from authenticators")] == before
    assert {row[0] for row in await pool.fetch("select hash from recovery_codes")} == codes
    assert (await member.call("GET", "/v1/account")).status == 401


async def test_s94_each_change_is_told_to_a_proved_address(api: Api, pool: Pool, member: Person):
    """With a link that undoes it; an unproved address gets none of these letters."""
    await member.call("DELETE", AUTHENTICATOR)
    await member.call("PATCH", PATH, mfa=False)
    told = await pool.fetch("select facts, token_id from mails where letter = 'security_changed' order by created_at")
    assert [row["facts"]["change"] for row in told] == [
        "authenticator_added", "recovery_codes_made", "mfa_on", "authenticator_removed", "mfa_off",
    ]  # fmt: skip
    assert all(row["token_id"] for row in told)
    await api.sign_up("eve@example.com")
    eve = await signed_in(api, pool, "eve@example.com")
    await eve.enrol()
    assert len(await pool.fetch("select from mails where letter = 'security_changed'")) == len(told)


async def test_s93_a_code_of_one_kind_opens_nothing_else(
    api: Api, pool: Pool, settings: Settings, post: Post, member: Person
):
    """A code that confirms signs nobody in, and one that signs in confirms nothing."""
    user_id = (await member.call("GET", "/v1/account")).data["$id"]
    other = await signed_in(api, pool)
    challenge = await other.challenge("email")
    code = await mailed_code(pool, settings)
    sign_in = {"userId": user_id, "secret": code}
    assert (await api.call("POST", "/v1/account/sessions/token", json=sign_in)).status == 401
    proof = await post.issue(Kind.OTP, user_id)
    if proof.secret != code:
        assert (await other.answer(challenge, proof.secret)).status == 401
    assert (await other.answer(challenge, code)).status == 200


async def test_s93_a_block_ends_a_mailed_code(api: Api, pool: Pool, settings: Settings, member: Person):
    """As a new address and a new password do: the code of a challenge is revoked with all others."""
    other = await signed_in(api, pool)
    challenge = await other.challenge("email")
    code = await mailed_code(pool, settings)
    body = {"password": "another horse", "oldPassword": "correct horse"}
    assert (await member.call("PATCH", "/v1/account/password", **body)).status == 200
    assert await pool.fetchrow("select from tokens where kind = 'mfa_email'") is None
    assert (await other.answer(challenge, code)).status == 401


async def test_s95_wrong_codes_are_braked_for_a_network(behind: Api, pool: Pool, post: Post):
    """Twenty an hour from one network, over all accounts and routes; another network and links go on."""
    for number in range(20):
        await post.issue(Kind.OTP, "", email=f"p{number}@example.com", asked_as=f"u{number}")

    async def guess(number: int, ip: str = "192.0.2.1") -> int:
        body = {"userId": f"u{number}", "secret": "none"}
        headers = {"X-Forwarded-For": ip}
        return (await behind.call("POST", "/v1/account/sessions/token", json=body, headers=headers)).status

    assert [await guess(number) for number in range(20)] == [401] * 20
    assert await guess(1) == 429
    assert await guess(1, "198.51.100.1") == 401
    proof = await post.issue(Kind.MAGIC_URL, "u30", email="p30@example.com")
    answer = await use(behind, WAYS[4], proof, headers={"X-Forwarded-For": "192.0.2.1"})
    assert answer.status == 201


async def test_s95_wrong_codes_are_braked_for_the_project(behind: Api, pool: Pool):
    """From however many networks they come; other projects go on. A challenge's answers are braked with them."""
    await projects.set_limit(pool, "shop", rule="codes.project", numbers=[3, 3600])
    await projects.create(pool, "other", name="Other")

    async def guess(number: int, project: str = "shop") -> int:
        body = {"userId": f"u{number}", "secret": "000000"}
        headers = {"X-Forwarded-For": f"198.51.100.{number}", "X-Appwrite-Project": project}
        return (await behind.call("POST", "/v1/account/sessions/token", json=body, headers=headers)).status

    assert [await guess(number) for number in range(1, 5)] == [401, 401, 401, 429]
    assert await guess(5, "other") == 401
    ann = await verified(behind, pool)
    challenge = await ann.challenge("email")
    assert (await ann.answer(challenge, "000000")).status == 429


async def test_s95_a_known_device_is_not_braked(behind: Api, pool: Pool, post: Post):
    """No number of guessers keeps an owner's own browser out; another browser waits."""
    first = await use(behind, SIGN_IN, await post.issue(Kind.OTP, "", email=ANN, asked_as="ann"))
    device = "; ".join(line.partition(";")[0] for line in first.headers.getall("Set-Cookie") if "device" in line)
    assert device
    from_here = {"X-Forwarded-For": "192.0.2.1"}
    for number in range(20):
        body = {"userId": f"u{number}", "secret": "none"}
        assert (await behind.call("POST", "/v1/account/sessions/token", json=body, headers=from_here)).status == 401
    proof = await post.issue(Kind.OTP, "", email=ANN, asked_as="ann")
    assert (await use(behind, SIGN_IN, proof, headers=from_here)).status == 429
    assert (await use(behind, SIGN_IN, proof, headers=from_here | {"Cookie": device})).status == 201


async def test_s96_neither_postgres_nor_redis_shows_a_factor(pool: Pool, redis: Redis, settings: Settings, api: Api):
    """No secret of an app, recovery code or mailed code is in a table or a key."""
    person = await verified(api, pool)
    app = await person.enrol()
    codes = (await person.call("POST", RECOVERY)).data["recoveryCodes"]
    await person.challenge("email")
    secrets = [app.secret.reveal(), *codes, *(code.replace("-", "") for code in codes)]
    tables = [row[0] for row in await pool.fetch("select relname from pg_class where relkind in ('r', 'p') and "
                                                 "relnamespace = 'public'::regnamespace")]  # fmt: skip
    dump = "".join([str(await pool.fetch(f"select t::text from {table} t")) for table in tables])
    kept = b"".join([key + (await redis.dump(key) or b"") async for key in redis.scan_iter()])
    for secret in secrets:
        assert secret not in dump
        assert secret.encode() not in kept
    assert f"({await mailed_code(pool, settings)}" not in dump


async def test_s92_a_recovery_code_costs_one_hash_whatever_is_typed(
    pool: Pool, member: Person, monkeypatch: pytest.MonkeyPatch
):
    """Right place, used, replaced, none, junk: one hash in the pool, never in the loop, so that no time tells which."""
    codes = (await member.call("PATCH", RECOVERY)).data["recoveryCodes"]
    assert (await member.prove("recoveryCode", codes[0])).status == 200
    threads: list[str] = []
    proves = password_hashing._proves

    def counted(stored: str, password: str) -> bool:
        threads.append(threading.current_thread().name)
        return proves(stored, password)

    monkeypatch.setattr(password_hashing, "_proves", counted)
    for typed, status in ((codes[0], 401), (codes[1][:-1] + "0", 401), ("123456", 401), (codes[2], 200)):
        before = len(threads)
        challenge = await member.challenge("recoveryCode")
        assert (await member.answer(challenge, typed)).status == status
        assert len(threads) == before + 1, typed
    assert all(name.startswith("hash") for name in threads)


async def test_s92_twenty_at_once_pass_one_challenge(api: Api, pool: Pool, member: Person):
    """Of twenty answers to one challenge one is right."""
    other = await signed_in(api, pool)
    codes = (await member.call("PATCH", RECOVERY)).data["recoveryCodes"]
    challenge = await other.challenge("recoveryCode")
    answers = await asyncio.gather(*(other.answer(challenge, codes[0]) for _ in range(20)))
    assert sorted({answer.status for answer in answers}) in ([200, 401], [200, 401, 429])
    assert [answer.status for answer in answers].count(200) == 1


async def test_s95_an_own_code_beside_the_victims_frees_no_guesser(behind: Api, post: Post):
    """Asking for a code of an own address under the id of the victim's code makes no known device of the victim."""
    eve = await post.issue(Kind.OTP, "", email="eve@evil.example", asked_as="eve")
    answer = await use(behind, SIGN_IN, eve)
    device = "; ".join(line.partition(";")[0] for line in answer.headers.getall("Set-Cookie") if "device" in line)
    headers, statuses = {"X-Forwarded-For": "192.0.2.1", "Cookie": device}, []
    for number in range(5):
        name = f"asked{number}"
        victim = await post.issue(Kind.OTP, "", email=ANN, asked_as=name)
        await post.issue(Kind.OTP, "", email="eve@evil.example", asked_as=name)
        body = {"userId": name, "secret": f"{(int(victim.secret) + 1) % 1_000_000:06}"}
        for _ in range(5):
            guess = await behind.call("POST", "/v1/account/sessions/token", json=body, headers=headers)
            statuses.append(guess.status)
    assert statuses == [401] * 20 + [429] * 5


@pytest.mark.parametrize("known", [True, False], ids=["password", "none"])
async def test_s94_a_session_alone_swaps_no_factor(api: Api, pool: Pool, member: Person, known: bool):
    """A stolen session gets no factor of the thief's own: neither by a new address nor by a new number.

    Not even with the password; and in an account without one the session would be all that it takes.
    """
    await pool.execute("update sessions set mfa_at = null, created_at = now() - interval '2 hours'")
    if not known:
        await pool.execute("update users set password_hash = null")
    for path, body in (("email", {"email": "eve@evil.example"}), ("phone", {"phone": "+4915187654321"})):
        refused = await member.call("PATCH", f"/v1/account/{path}", **body, password="correct horse")
        assert (refused.status, refused.data["type"]) == (401, "user_challenge_required")
    assert tuple(await pool.fetchrow("select email, phone from users")) == (ANN, None)
    await pool.execute("update sessions set mfa_at = now()")
    changed = await member.call("PATCH", "/v1/account/phone", phone="+4915187654321", password="correct horse")
    assert changed.status == 200
