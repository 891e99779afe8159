"""Attacks by push targets: on others' devices, on the cap, and for what a taken-over device may tell (S108)."""

import asyncio

import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api, kind
from testkit.factors import Person, signed_in
from testkit.proofs import WAYS, Post, Way, use
from testkit.targets import identifiers, path, register
from tests.security.test_takeover import waiting

pytestmark = pytest.mark.usefixtures("cheap")
RECOVER, SIGN_IN, RECOVER_BY_CODE = WAYS[0], WAYS[5], WAYS[7]
TIMES = {"$createdAt", "$updatedAt"}


@pytest.fixture
async def ann(api: Api, pool: Pool, project: projects.Project) -> Person:
    return await person(api, pool, "ann@example.com")


@pytest.fixture
async def bob(api: Api, pool: Pool, project: projects.Project) -> Person:
    return await person(api, pool, "bob@example.com")


async def person(api: Api, pool: Pool, email: str) -> Person:
    await api.sign_up(email)
    return await signed_in(api, pool, email)


async def test_s108_others_targets_are_not_found(ann: Person, bob: Person):
    """A target of another user answers as one that is not there, and stays as it is."""
    await register(ann, "phone", "token")
    for target in ("phone", "none"):
        assert kind(await bob.call("PUT", path(target), identifier="x")) == (404, "user_target_not_found")
        assert kind(await bob.call("DELETE", path(target))) == (404, "user_target_not_found")
    assert await identifiers(ann) == ["token"]


async def test_s108_ids_of_others_are_free(ann: Person, bob: Person):
    """An id names a target of one user: nobody finds out by it what others have."""
    assert (await register(ann, "phone", "a")).status == 201
    assert (await register(bob, "phone", "b")).status == 201
    assert (await identifiers(ann), await identifiers(bob)) == (["a"], ["b"])


async def test_s108_a_device_that_changes_hands(ann: Person, bob: Person):
    """Its messages go to who has registered it last, and to nobody else; it is one row for the app's sender."""
    await register(ann, "phone", "token")
    assert (await register(bob, "mine", "token")).status == 201
    assert (await identifiers(ann), await identifiers(bob)) == ([], ["token"])
    await register(ann, "again", "other")
    assert (await ann.call("PUT", path("again"), identifier="token")).status == 200
    assert (await identifiers(ann), await identifiers(bob)) == (["token"], [])


@pytest.mark.parametrize("way", ["POST", "PUT"])
async def test_s108_a_takeover_tells_nothing_of_the_former_holder(pool: Pool, ann: Person, bob: Person, way: str):
    """The answer for an identifier that somebody has is that for a new one, field by field; it is no new account's."""
    await register(ann, "phone", "known", providerId="of-ann")
    answers = []
    for identifier in ("known", "unknown"):
        if way == "POST":
            answer = await register(bob, "mine", identifier)
        else:
            await register(bob, "mine", "before")
            answer = await bob.call("PUT", path("mine"), identifier=identifier)
        answers.append(answer)
        await bob.call("DELETE", path("mine"))
    known, unknown = answers
    assert known.status == unknown.status
    drop = TIMES | {"identifier"}
    assert {name: value for name, value in known.data.items() if name not in drop} == {
        name: value for name, value in unknown.data.items() if name not in drop
    }
    assert known.data["$createdAt"] > (await ann.call("GET", "/v1/account")).data["$createdAt"]
    names = {name for name in known.headers if name not in ("Date", "X-Request-Id")}
    assert names == {name for name in unknown.headers if name not in ("Date", "X-Request-Id")}


async def test_s108_the_former_holder_learns_nothing_of_the_next(pool: Pool, ann: Person, bob: Person):
    """No event with the other's address or device is in the former holder's log."""
    await register(ann, "phone", "token")
    owner = (await ann.call("GET", "/v1/account")).data["$id"]
    before = await pool.fetch("select id from events where user_id = $1", owner)
    await register(bob, "mine", "token")
    assert await pool.fetch("select id from events where user_id = $1", owner) == before


async def test_s108_twenty_at_once_stay_within_the_cap(pool: Pool, ann: Person):
    """Ten get in, ten are refused, whichever."""
    answers = await asyncio.gather(*(register(ann, f"t{number}", f"i{number}") for number in range(20)))
    assert sorted(answer.status for answer in answers) == [201] * 10 + [400] * 10
    assert {kind(answer) for answer in answers if answer.status == 400} == {(400, "user_target_limit_exceeded")}
    assert len(await identifiers(ann)) == len(await pool.fetch("select from targets")) == 10


async def test_s108_one_device_registered_by_two_at_once(pool: Pool, ann: Person, bob: Person):
    """One of them has it in the end; both are told that they got it, as with one after the other."""
    answers = await asyncio.gather(*(register(each, "phone", "token") for each in (ann, bob)))
    assert [answer.status for answer in answers] == [201, 201]
    assert len(await pool.fetch("select from targets")) == 1


async def test_s108_a_session_that_ends_meanwhile_registers_nothing(api: Api, pool: Pool, ann: Person):
    """A device that is slower than the sign-out is not registered for the account any more."""
    async with pool.connection() as held, held.transaction():
        await held.execute("select 1 from users for update")
        late = asyncio.create_task(register(ann, "phone", "token"))
        await waiting(pool)
        await held.execute("delete from sessions")
    assert kind(await late) == (401, "general_unauthorized_scope")
    assert await pool.fetch("select from targets") == []


async def test_s108_other_projects_have_identifiers_of_their_own(api: Api, pool: Pool, ann: Person):
    """An app takes no device from another's users."""
    await register(ann, "phone", "token")
    await pool.execute("insert into projects (id, name) values ('other', 'Other') on conflict do nothing")
    await pool.execute("insert into users (project_id, id, name) values ('other', 'eve', '')")
    await pool.execute(
        "insert into targets (project_id, user_id, id, provider_type, identifier) "
        "values ('other', 'eve', 'phone', 'push', 'token')"
    )
    assert await identifiers(ann) == ["token"]


@pytest.mark.parametrize("way", [RECOVER, SIGN_IN, RECOVER_BY_CODE], ids=lambda way: str(way.kind))
async def test_s108_a_squatters_device_goes_when_the_owner_comes(api: Api, pool: Pool, post: Post, way: Way):
    """The owner of the mailbox of an unproved account is alone in it: no message goes to the squatter's devices."""
    user = (await api.sign_up())["$id"]
    squatter = await signed_in(api, pool)
    await register(squatter, "phone", "token")
    await pool.execute(
        "insert into targets (project_id, user_id, id, provider_type, identifier) "
        "values ('shop', $1, 'tv', 'push', 'without a session')",
        user,
    )
    assert (await use(api, way, await post.issue(way.kind, user))).status == way.status
    assert await pool.fetch("select from targets") == []
