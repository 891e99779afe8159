"""One-time tokens: derived, bound to what they were made for, and used up once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.crypto import key_derivation, link_secrets
from service.crypto.link_secrets import Form
from service.db import Pool, transaction
from service.store import projects, token_lookups, token_revocations, token_secrets, tokens, users
from service.store.tokens import Kind, Token

RING = {"new": bytes(range(32)), "old": bytes(range(32, 64))}
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> users.User:
    return await users.create(
        pool, "shop", user_id="ann", email="ann@example.com", name="", password_hash=None
    )  # fmt: skip


async def a_token(pool: Pool, **facts) -> Token:
    given = {"kind": Kind.RECOVERY, "email": "ann@example.com", "kid": "new", "seconds": 60, "user_id": "ann",
             "email_version": 1}  # fmt: skip
    return await tokens.issue(pool, "shop", **(given | facts))


async def found(
    pool: Pool, secret: str, *, ring=RING, project="shop", kind=Kind.RECOVERY, user: str | None = "ann"
) -> Token | None:
    return await token_lookups.find_by_secret(pool, project, kind=kind, user_id=user, secret=secret, ring=ring)


async def attempts(pool: Pool) -> int:
    return (await pool.fetchrow("select attempts from tokens"))[0]


async def test_a_secret_is_256_hex_and_always_the_same(pool: Pool, ann: users.User):
    """API and worker derive the same 256 characters, before and after the row has been to Postgres."""
    token = await a_token(pool)
    secret = token_secrets.secret_of(RING, token)
    assert len(secret) == 256
    assert bytes.fromhex(secret)
    assert secret.startswith(token.id)
    assert secret == token_secrets.secret_of(dict(RING), replace(token))


def test_secrets_outlive_a_release():
    """The next release opens what this one has mailed: the same row and key make the same characters in both."""
    token = Token("shop", "0" * 20, "recovery", "ann", None, "ann@example.com", 1, "new", LONG_AGO, LONG_AGO)
    nobodys = replace(token, kind="magic_url", user_id=None, email_version=None)
    assert [key_derivation.digest(token_secrets.secret_of(RING, each)).hex() for each in (token, nobodys)] == [
        "bedea9ae02d16c7707521a4b866cca3e9f4a454c525cbf4dd805b7494fbba84d",
        "27088404751f8a4c8a4a4f8b5ba500237461e82ce8d96f7bc7d25d7c0deb58ca",
    ]
    assert token_secrets.secret_of(RING, replace(nobodys, kind="otp")) == "203697"
    codes = [token_secrets.secret_of(RING, replace(token, kind=kind)) for kind in ("verification_otp", "recovery_otp")]
    assert codes == ["327332", "966225"]
    custom = replace(token, kind="custom", email="", email_version=None)
    made = [token_secrets.custom_secret(RING, custom, length=length) for length in (6, 33)]
    assert made == ["a29893", "344875a6fd89842385ddc246de7e9f92c"]
    assert token_secrets.with_public_id(RING, token) == replace(token, id="1308871eb7292d72889b")


async def test_a_secret_depends_on_all_it_is_bound_to(pool: Pool, ann: users.User):
    """Change kind, project, id, user, address, its version or the key, and it is another secret."""
    token = await a_token(pool)
    others = [
        replace(token, kind="verification"), replace(token, project_id="other"), replace(token, id="0" * 20),
        replace(token, user_id="eve"), replace(token, email="eve@example.com"), replace(token, email_version=2),
        replace(token, email_version=None), replace(token, kid="old"),
    ]  # fmt: skip
    proofs = {token_secrets.secret_of(RING, one)[20:] for one in [token, *others]}
    assert len(proofs) == len(others) + 1


async def test_no_secret_is_stored(pool: Pool, ann: users.User):
    """The row holds neither the secret nor its digest."""
    secret = token_secrets.secret_of(RING, await a_token(pool))
    row = (await pool.fetchrow("select t::text from tokens t"))[0]
    assert secret[20:] not in row
    assert key_derivation.digest(secret).hex() not in row


async def test_only_the_right_secret_finds_the_token(pool: Pool, ann: users.User):
    """Another kind, project, user, a bit changed, cut or empty: nothing."""
    token = await a_token(pool)
    secret = token_secrets.secret_of(RING, token)
    flipped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    for wrong in (flipped, secret[:20], "", "é" * 256, secret.upper() if secret.upper() != secret else flipped):
        await pool.execute("update tokens set attempts = 0")
        assert await found(pool, wrong) is None
    await pool.execute("update tokens set attempts = 0")
    assert await found(pool, secret, kind=Kind.VERIFICATION) is None
    assert await found(pool, secret, project="other") is None
    assert await found(pool, secret, user="eve") is None
    assert await found(pool, secret) == token


@pytest.mark.parametrize("form", ["long", "short"])
async def test_what_stands_in_for_a_missing_secret_opens_nothing(pool: Pool, ann: users.User, form: Form):
    """For an unknown user something else is compared, so that it takes as long; to know it is to know no secret."""
    token = await a_token(pool)
    stand_in = link_secrets.make(form, RING["new"], token.id)
    assert await found(pool, stand_in, user="eve") is None
    assert await found(pool, stand_in) is None
    assert await found(pool, token_secrets.secret_of(RING, token, form=form))


@pytest.mark.parametrize("form", ["long", "short"])
async def test_either_form_opens_its_token(pool: Pool, ann: users.User, form: Form):
    """A link mailed by the release before opens, and so does a short one, with the user's id or without it."""
    token = await a_token(pool)
    secret = token_secrets.secret_of(RING, token, form=form)
    assert await found(pool, secret) == token
    assert await found(pool, secret, user=None) == token
    assert await found(pool, secret, user="eve") is None
    assert await found(pool, secret, kind=Kind.VERIFICATION) is None
    assert await found(pool, secret, project="other") is None


async def test_guesses_in_either_form_are_counted_together(pool: Pool, ann: users.User):
    """Two forms are no second helping: after five wrong ones, whatever they look like, neither opens the token."""
    token = await a_token(pool)
    long, short = (token_secrets.secret_of(RING, token, form=form) for form in ("long", "short"))
    wrong = [long[:-1] + ("0" if long[-1] != "0" else "1"), short[:-1] + ("A" if short[-1] != "A" else "B")]
    for number in range(5):
        assert await found(pool, wrong[number % 2]) is None
    assert await attempts(pool) == 5
    assert (await found(pool, long), await found(pool, short)) == (None, None)
    assert token_secrets.target_id(long) == token_secrets.target_id(short) == token.id


@pytest.mark.parametrize("secret", ["", "1234567", "f" * 255, "f" * 257, "F" * 256, "A" * 35, "A" * 37, "A" * 34 + "==",
                                    "é" * 36, "A" * 36 + "\n", "0" * 20])  # fmt: skip
async def test_a_text_of_neither_form_is_refused_without_a_query(secret: str):
    """Without a connection to Postgres there is an answer all the same."""
    nowhere: Any = None
    assert await found(nowhere, secret) is None


@pytest.mark.parametrize("form", ["long", "short"])
async def test_a_link_to_nobody_opens_nothing(pool: Pool, ann: users.User, form: Form):
    """A token whose user no worker has found yet has no secret that was mailed, so none may fit."""
    token = await a_token(pool, user_id=None, email_version=None)
    assert await found(pool, token_secrets.secret_of(RING, token, form=form), user=None) is None


async def test_a_rotated_key_still_opens_and_a_retired_one_does_not(pool: Pool, ann: users.User):
    """Links made under an older key work for as long as that key stands in SECRET_KEYS."""
    token = await a_token(pool, kid="old")
    secret = token_secrets.secret_of(RING, token)
    assert await found(pool, secret) == token
    assert await found(pool, secret, ring={"new": RING["new"]}) is None
    with pytest.raises(KeyError):
        token_secrets.secret_of({"new": RING["new"]}, token)


async def test_attempts_are_counted_before_anyone_looks(pool: Pool, ann: users.User):
    """Of twenty parallel guesses five are looked at; the sixth with the right secret comes too late."""
    secret = token_secrets.secret_of(RING, await a_token(pool))
    wrong = secret[:20] + "0" * 236
    await asyncio.gather(*(found(pool, wrong) for _ in range(20)))
    assert await attempts(pool) == 5
    assert await found(pool, secret) is None


@pytest.mark.parametrize("form", ["long", "short"])
async def test_an_expired_token_is_not_found(pool: Pool, ann: users.User, form: Form):
    """The database's clock decides."""
    secret = token_secrets.secret_of(RING, await a_token(pool), form=form)
    await pool.execute("update tokens set expires_at = now()")
    assert await found(pool, secret) is None


async def take(pool: Pool, token: Token) -> Token | None:
    async with transaction(pool) as tx:
        await users.lock(tx, "shop", user_id="ann")
        return await tokens.redeem(tx, token)


async def test_of_any_number_one_takes_it(pool: Pool, ann: users.User):
    """A token is used up by exactly one of ten at once."""
    token = await a_token(pool)
    taken = await asyncio.gather(*(take(pool, token) for _ in range(10)))
    assert [one for one in taken if one] == [token]


@pytest.mark.parametrize(
    "change",
    ["update users set email_version = 2", "update users set email = 'b@example.com'", "delete from tokens",
     "update tokens set expires_at = now()"],
)  # fmt: skip
async def test_it_is_taken_for_the_address_it_was_mailed_to(pool: Pool, ann: users.User, change: str):
    """Found or not: after a change of address, a kill or the expiry there is nothing to take."""
    token = await a_token(pool)
    await pool.execute(change)
    assert await take(pool, token) is None


async def test_a_token_is_adopted_once(pool: Pool, ann: users.User):
    """Of two workers one gives an unowned token to its user; an owned one is never given away."""
    token = await a_token(pool, user_id=None, email_version=None)
    adopted = await asyncio.gather(
        *(tokens.assign_user(pool, "shop", token_id=token.id, user_id="ann", email_version=1) for _ in range(5))
    )
    assert [one for one in adopted if one] == [replace(token, user_id="ann", email_version=1)]


async def test_killing_spares_other_users(pool: Pool, ann: users.User):
    """All of one user's tokens die, of every kind; nobody else's."""
    await users.create(pool, "shop", user_id="eve", email="eve@example.com", name="", password_hash=None)
    await a_token(pool)
    await a_token(pool, kind=Kind.VERIFICATION)
    kept = await a_token(pool, user_id="eve", email="eve@example.com")
    await token_revocations.revoke_all(pool, ann, by_address=True)
    assert [row[0] for row in await pool.fetch("select id from tokens")] == [kept.id]


async def test_expired_tokens_are_tidied_away_a_day_later(pool: Pool, ann: users.User):
    """A day after its end a token's row goes, and not before."""
    _, late, old = [await a_token(pool) for _ in range(3)]
    for hours, token in ((23, late), (25, old)):
        ended = "update tokens set expires_at = now() - make_interval(hours => $1) where id = $2"
        await pool.execute(ended, hours, token.id)
    assert await tokens.delete_expired(pool, most=500) == 1
    assert old.id not in {row[0] for row in await pool.fetch("select id from tokens")}
