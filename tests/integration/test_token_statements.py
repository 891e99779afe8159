"""Statements about tokens: each touches exactly the rows that it names."""

import asyncio
from dataclasses import asdict, replace

import pytest

from service.db import Pool, transaction
from service.store import projects, token_lookups, token_revocations, token_secrets, tokens, users
from service.store.tokens import Kind, Token
from testkit.proofs import find_by_code
from testkit.waiting import until
from tests.integration.test_tokens import RING, a_token, take

BY_ADDRESS = {"user_id": None, "email_version": None}


@pytest.fixture(autouse=True)
async def ann(pool: Pool, project: projects.Project) -> users.User:
    """Ann of the project shop; the project `other` has a user of the same id and address."""
    await projects.create(pool, "other", name="Other")
    await users.create(pool, "other", user_id="ann", email="ann@example.com", name="", password_hash=None)
    return await users.create(pool, "shop", user_id="ann", email="ann@example.com", name="", password_hash=None)


async def copied(pool: Pool, token: Token) -> None:
    """Put a row with the token's id into the other project."""
    await pool.execute(
        "insert into tokens (project_id, id, kind, user_id, asked_as, email, email_version, kid, attempts, expires_at) "
        "select 'other', id, kind, user_id, asked_as, email, email_version, kid, attempts, expires_at from tokens "
        "where id = $1",
        token.id,
    )


async def rows(pool: Pool, of: str = "id") -> list:
    return [row[0] for row in await pool.fetch(f"select {of} from tokens order by created_at, id")]


REDEEM = {
    "redeem": (tokens.redeem, {"kind": Kind.RECOVERY}),
    "redeem_by_address": (tokens.redeem_by_address, {"kind": Kind.MAGIC_URL} | BY_ADDRESS),
    "redeem_undo_link": (tokens.redeem_undo_link, {"kind": Kind.EMAIL_UNDO}),
}
each_way = pytest.mark.parametrize(("redeem", "facts"), REDEEM.values(), ids=REDEEM)


def same(found: Token | None, token: Token) -> bool:
    """Tell whether it is that token; a notice's link comes with more than the token itself."""
    return found is not None and asdict(found).items() >= asdict(token).items()


@each_way
async def test_one_token_of_one_project_is_redeemed(pool: Pool, redeem, facts):
    """The user's other token stays, and so does one of the same id in another project; twice is once."""
    token, other = await a_token(pool, **facts), await a_token(pool, **facts)
    await copied(pool, token)
    assert same(await redeem(pool, token), token)
    assert await redeem(pool, token) is None
    left = {tuple(row) for row in await pool.fetch("select project_id, id from tokens")}
    assert left == {("other", token.id), ("shop", other.id)}


@each_way
async def test_an_expired_token_is_not_redeemed(pool: Pool, redeem, facts):
    """Found in time and redeemed too late is too late; the row stays until its day has passed."""
    token = await a_token(pool, **facts, seconds=0)
    assert await redeem(pool, token) is None
    assert await rows(pool) == [token.id]


@pytest.mark.parametrize("name", ["redeem", "redeem_undo_link"])
async def test_a_token_is_redeemed_for_its_own_user(pool: Pool, name: str):
    """Another user redeems nothing, though the address is still the owner's."""
    redeem, facts = REDEEM[name]
    token = await a_token(pool, **facts)
    await users.create(pool, "shop", user_id="eve", email="eve@example.com", name="", password_hash=None)
    assert await redeem(pool, replace(token, user_id="eve")) is None
    assert same(await redeem(pool, token), token)


async def test_the_address_compared_is_the_users_own(pool: Pool):
    """Not that of the user who has the address now, nor that of another project's user of the same id."""
    token = await a_token(pool)
    await pool.execute("update users set email = 'new@example.com' where project_id = 'shop'")
    assert await take(pool, token) is None
    await users.create(pool, "shop", user_id="eve", email="ann@example.com", name="", password_hash=None)
    assert await take(pool, token) is None


@pytest.mark.parametrize("kind", [Kind.RECOVERY, Kind.ACCOUNT_UNDO, Kind.EMAIL_UNDO])
async def test_an_address_alone_redeems_no_such_kind(pool: Pool, kind: Kind):
    """A sign-in or sign-up by the address takes magic URLs, codes and verifications."""
    assert await tokens.redeem_by_address(pool, await a_token(pool, kind=kind, **BY_ADDRESS)) is None


@pytest.mark.parametrize("kind", [Kind.MAGIC_URL, Kind.OTP, Kind.VERIFICATION])
async def test_an_address_alone_redeems_what_has_no_user(pool: Pool, kind: Kind):
    """A token that has a user is redeemed for that user, or not at all."""
    assert await tokens.redeem_by_address(pool, await a_token(pool, kind=kind)) is None
    token = await a_token(pool, kind=kind, **BY_ADDRESS)
    assert await tokens.redeem_by_address(pool, token) == token


@pytest.mark.parametrize("kind", [Kind.RECOVERY, Kind.VERIFICATION, Kind.MAGIC_URL, Kind.OTP])
async def test_only_a_notices_link_undoes(pool: Pool, kind: Kind):
    """A token of another kind is no undo link, whoever holds it."""
    assert await tokens.redeem_undo_link(pool, await a_token(pool, kind=kind)) is None


@pytest.mark.parametrize(("by_address", "left"), [(False, "undo owned by-address others"), (True, "undo owned others")])
async def test_revoking_spares_notices_and_other_owners(pool: Pool, ann: users.User, by_address: bool, left: str):
    """The user's own go, and with the address those of nobody yet; undo links and others' tokens stay."""
    await users.create(pool, "shop", user_id="eve", email="eve@example.com", name="", password_hash=None)
    tokens_of = {
        "undo": [await a_token(pool, kind=kind) for kind in (Kind.ACCOUNT_UNDO, Kind.EMAIL_UNDO)],
        "owned": [await a_token(pool, user_id="eve")],
        "by-address": [await a_token(pool, **BY_ADDRESS)],
        "others": [await a_token(pool, **BY_ADDRESS, email="bob@example.com")],
    }
    own = await a_token(pool)
    await copied(pool, own)
    await token_revocations.revoke_all(pool, ann, by_address=by_address)
    kept = {token.id for name in left.split() for token in tokens_of[name]}
    assert set(await rows(pool)) == kept | {own.id}
    assert await pool.fetch("select 1 from tokens where project_id = 'shop' and id = $1", own.id) == []


async def test_revoking_undo_links_spares_the_rest(pool: Pool, ann: users.User):
    """Links of notices of this user in this project go, since that time; nothing else does."""
    await users.create(pool, "shop", user_id="eve", email="eve@example.com", name="", password_hash=None)
    early, late = [await a_token(pool, kind=kind) for kind in (Kind.ACCOUNT_UNDO, Kind.EMAIL_UNDO)]
    kept = [await a_token(pool), await a_token(pool, kind=Kind.EMAIL_UNDO, user_id="eve")]
    await copied(pool, late)
    await token_revocations.revoke_undo_links(pool, ann, since=late.created_at)
    shops = "case project_id when 'shop' then id end"
    assert set(await rows(pool, shops)) == {early.id, *(token.id for token in kept), None}
    await token_revocations.revoke_undo_links(pool, ann)
    assert set(await rows(pool, shops)) == {*(token.id for token in kept), None}


async def code(pool: Pool, **facts) -> Token:
    return await a_token(pool, **({"kind": Kind.OTP, "requested_user_id": "group"} | BY_ADDRESS | facts))


async def guess(pool: Pool, secret: str, *, ring=RING) -> Token | None:
    return await find_by_code(pool, kind=Kind.OTP, requested_user_id="group", code=secret, ring=ring)


async def test_a_guess_at_a_code_counts_for_the_live_codes_of_its_id(pool: Pool):
    """Not for another kind, id or project, nor for one that has expired or had its five guesses."""
    for facts in ({"kind": Kind.MAGIC_URL}, {"requested_user_id": "else"}, {"seconds": 0}):
        await code(pool, **facts)
    spent = await code(pool)
    await pool.execute("update tokens set attempts = 5 where id = $1", spent.id)
    live = await code(pool)
    await copied(pool, live)
    assert await guess(pool, "none") is None
    found = await pool.fetch("select project_id, id from tokens where attempts = 1")
    assert [tuple(row) for row in found] == [("shop", live.id)]
    assert sorted(await rows(pool, "attempts")) == [0, 0, 0, 0, 1, 5]


async def test_a_guess_is_at_the_newest_three(pool: Pool):
    """Of four live codes the oldest is not compared, and keeps its guesses."""
    oldest, *_ = [await code(pool) for _ in range(4)]
    assert await guess(pool, token_secrets.secret_of(RING, oldest)) is None
    assert await rows(pool, "attempts") == [0, 1, 1, 1]


async def test_a_spent_code_makes_room_for_an_older_one(pool: Pool):
    """The newest three that still have a guess are compared, of four with the newest spent."""
    issued = [await code(pool) for _ in range(4)]
    await pool.execute("update tokens set attempts = 5 where id = $1", issued[-1].id)
    assert await guess(pool, token_secrets.secret_of(RING, issued[0])) == issued[0]


async def test_a_code_is_found_by_its_digits_alone(pool: Pool):
    """Of three live ones the right one; none whose key has been retired."""
    first, second, third = await code(pool), await code(pool, kid="old"), await code(pool)
    for token in (first, second, third):
        secret = token_secrets.secret_of(RING, token)
        assert (len(secret), secret.isdigit()) == (6, True)
        assert await guess(pool, secret) == token
    assert await guess(pool, "none") is None
    assert await guess(pool, token_secrets.secret_of(RING, second), ring={"new": RING["new"]}) is None


class CountingRing(dict[str, bytes]):
    """Keys, and how often one was used."""

    used = 0

    def __getitem__(self, kid: str) -> bytes:
        self.used += 1
        return super().__getitem__(kid)


async def test_a_guess_is_the_same_work_whatever_there_is_to_find(pool: Pool):
    """The time of an answer tells neither how many codes there are nor whether a link is there."""
    link = token_secrets.secret_of(RING, await a_token(pool))
    for user, secret in (("ann", link), ("eve", link), ("ann", "0" * 256)):
        ring = CountingRing(RING)
        await token_lookups.find_by_secret(pool, "shop", kind=Kind.RECOVERY, user_id=user, secret=secret, ring=ring)
        assert ring.used == 1, (user, secret)
    for number in range(5):
        ring = CountingRing(RING)
        await guess(pool, "none", ring=ring)
        assert ring.used == 3, number
        await code(pool)


async def test_guesses_at_a_code_in_parallel_are_five(pool: Pool):
    """Calls that waited for each other's count see it: the sixth is refused, though it has the right digits."""
    token = await code(pool)
    secret = token_secrets.secret_of(RING, token)
    found = await asyncio.gather(*(guess(pool, secret) for _ in range(20)))
    assert await rows(pool, "attempts") == [5]
    assert [each for each in found if each] == [token] * 5


async def test_a_guess_sees_what_it_waited_for(pool: Pool):
    """A code that had its five guesses meanwhile is compared no more, whatever the statement saw when it began."""
    secret = token_secrets.secret_of(RING, await code(pool))
    async with transaction(pool) as tx:
        await tx.execute("update tokens set attempts = 5")
        guessing = asyncio.create_task(guess(pool, secret))
        waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        await until(lambda: pool.fetchrow(waiting))
    assert await guessing is None
    assert await rows(pool, "attempts") == [5]


async def test_codes_of_another_project_take_no_room(pool: Pool):
    """The newest three are this project's, however many another has under the same id."""
    token = await code(pool)
    for _ in range(3):
        await tokens.issue(
            pool, "other", kind=Kind.OTP, email=token.email, kid="new", seconds=60, requested_user_id="group"
        )
    assert await guess(pool, token_secrets.secret_of(RING, token)) == token


async def test_a_refund_is_one_tokens(pool: Pool):
    """One attempt comes back, to this token in this project, and never below none."""
    token, other = await a_token(pool), await a_token(pool)
    await pool.execute("update tokens set attempts = 1")
    await copied(pool, token)
    for _ in range(2):
        await token_lookups.refund_attempt(pool, token)
    found = await pool.fetch("select project_id, id, attempts from tokens")
    assert {tuple(row) for row in found} == {("shop", token.id, 0), ("shop", other.id, 1), ("other", token.id, 1)}


async def test_deleting_and_assigning_are_one_tokens(pool: Pool):
    """The same id in another project keeps its row, and its lack of a user."""
    token, other = await a_token(pool, **BY_ADDRESS), await a_token(pool)
    await copied(pool, token)
    await tokens.assign_user(pool, "shop", token_id=token.id, user_id="ann", email_version=1)
    assert [row[0] for row in await pool.fetch("select user_id from tokens where project_id = 'other'")] == [None]
    await tokens.delete(pool, "shop", token_id=token.id)
    left = {tuple(row) for row in await pool.fetch("select project_id, id from tokens")}
    assert left == {("other", token.id), ("shop", other.id)}


def test_a_guess_is_aimed_at_the_row_that_its_secret_names():
    """Twenty characters of a link's secret; six digits, or fewer, name no row."""
    assert token_secrets.target_id("a" * 20 + "b" * 236) == "a" * 20
    assert [token_secrets.target_id(secret) for secret in ("1234567", "123456", "")] == ["1234567", "", ""]
