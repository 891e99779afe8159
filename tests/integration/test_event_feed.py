"""The feed of events: each once, in the order of a user's acts, under numbers that a reader can rely on."""

import asyncio

import pytest

from service.db import Pool, transaction
from service.store import event_feed, events
from service.store.events import Actor, Event
from service.store.projects import Project
from service.store.unit_of_work import unit_of_work
from testkit.waiting import until
from worker.security_log import SecurityLogWriter

BY = Actor("127.0.0.1", "test")
_WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%event_feeds%'"


@pytest.fixture
async def feed(pool: Pool, project: Project) -> None:
    await event_feed.open_feed(pool, "shop")


async def happen(pool: Pool, event: Event, user_id: str | None) -> None:
    async with unit_of_work(pool, None) as tx:
        await events.record(tx, "shop", event=event, user_id=user_id, by=BY, token_id="t")


async def numbered(pool: Pool) -> list[tuple[int, str, str]]:
    page = await event_feed.page(pool, "shop", after=0, most=1000)
    return [(event.number, event.name, event.user_id) for event in page.events]


@pytest.mark.usefixtures("feed")
async def test_a_reader_skips_none_while_many_write_and_file(pool: Pool):
    """Users act, workers file, and a reader follows by cursor, all at once: all events once, each user's in order."""
    acts = [Event.SESSION_CREATE, Event.NAME_UPDATE, Event.PREFS_UPDATE, Event.SESSION_DELETE] * 10
    users = [f"user-{number}" for number in range(6)]
    seen: list[event_feed.FeedEvent] = []

    async def act(user_id: str) -> None:
        for event in acts:
            await happen(pool, event, user_id)

    async def file() -> None:
        while len(seen) < len(acts) * len(users):
            await SecurityLogWriter(pool).write_pending()

    async def read() -> None:
        while len(seen) < len(acts) * len(users):
            page = await event_feed.page(pool, "shop", after=seen[-1].number if seen else 0, most=7)
            seen.extend(page.events)
            await asyncio.sleep(0)

    async with asyncio.timeout(120):
        await asyncio.gather(*map(act, users), file(), file(), file(), read())
    assert [event.number for event in seen] == list(range(1, len(acts) * len(users) + 1))
    assert {user: [event.name for event in seen if event.user_id == user] for user in users} == dict.fromkeys(
        users, acts
    )
    assert await pool.fetchrow("select count(*), count(distinct id) from logs") == (240, 240)


@pytest.mark.usefixtures("feed")
async def test_later_events_wait_for_those_that_another_worker_files(pool: Pool):
    """A worker that stands still before its COMMIT is waited for: nothing gets a number below it, or past it."""
    await happen(pool, Event.SESSION_CREATE, "ann")
    async with transaction(pool) as slow:
        taken = await events.dequeue(slow, "shop", most=100)
        await happen(pool, Event.SESSION_DELETE, "ann")
        other = asyncio.create_task(SecurityLogWriter(pool).write_pending())

        async def waits() -> bool:
            return other.done() or (await pool.fetchrow(_WAITING))[0] == 1

        await until(waits)
        assert await numbered(pool) == []
        await event_feed.append(slow, taken)
    await other
    assert await numbered(pool) == [(1, "account.sessions.create", "ann"), (2, "account.sessions.delete", "ann")]


async def test_only_projects_with_a_feed_have_rows(pool: Pool, project: Project):
    """Others pay nothing: their events go into the security log alone, at the same time as those of a feed."""
    await happen(pool, Event.SESSION_CREATE, "ann")
    await SecurityLogWriter(pool).write_pending()
    await event_feed.open_feed(pool, "shop")
    await event_feed.open_feed(pool, "shop")
    await happen(pool, Event.NAME_UPDATE, "ann")
    await happen(pool, Event.RECOVERY_CREATE, None)
    async with unit_of_work(pool, None) as tx:
        await events.assign_user(tx, "shop", token_id="t", user_id=None)
    await SecurityLogWriter(pool).write_pending()
    assert await numbered(pool) == [(1, "account.update.name", "ann")]
    assert (await pool.fetchrow("select count(*) from logs"))[0] == 3
    assert (await pool.fetchrow("select count(*) from events"))[0] == 0


@pytest.mark.usefixtures("feed")
async def test_old_events_go_and_the_feed_tells_up_to_where(pool: Pool):
    """Those filed longer ago than the time that is kept, oldest first, a batch at a time; numbers go on after them."""
    for _ in range(5):
        await happen(pool, Event.SESSION_CREATE, "ann")
    await SecurityLogWriter(pool).write_pending()
    await pool.execute("update feed_events set filed_at = now() - interval '31 days' where number <= 3")
    assert await event_feed.delete_old(pool, days=30, most=2) == 2
    assert (await event_feed.page(pool, "shop", after=0, most=9)).deleted_through == 2
    assert await event_feed.delete_old(pool, days=30, most=2) == 1
    assert await event_feed.delete_old(pool, days=30, most=2) == 0
    page = await event_feed.page(pool, "shop", after=0, most=9)
    assert (page.deleted_through, page.last_number, [event.number for event in page.events]) == (3, 5, [4, 5])


@pytest.mark.usefixtures("feed")
async def test_a_worker_that_fails_numbers_nothing(pool: Pool):
    """Log and feed are filed together or not at all; the next attempt uses the same numbers."""
    await happen(pool, Event.SESSION_CREATE, "ann")

    async def fail() -> None:
        async with transaction(pool) as tx:
            await event_feed.append(tx, await events.dequeue(tx, "shop", most=100))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await numbered(pool) == []
    await SecurityLogWriter(pool).write_pending()
    assert await numbered(pool) == [(1, "account.sessions.create", "ann")]
