"""F41: no more connections than a server bears, no more mails in a minute than it was agreed."""

import asyncio

import pytest

from testkit.patience import PATIENCE
from testkit.sink import Sink
from tests.integration.worker.relays import MESSAGE, SENDER, outcome, relay
from worker.relays import TemporaryFailure
from worker.relays.concurrency_limit import ConcurrencyLimit
from worker.relays.rate_limiter import RateLimiter


async def test_f41_a_limit_of_connections_is_learnt() -> None:
    """Ten connections to a server that bears two: no mail fails, and the 421s end with the first wave."""
    async with Sink(most_sessions=2) as sink, relay(sink, connections=10) as opened:
        await asyncio.gather(*(opened.send(SENDER, f"user{n}@example.org", MESSAGE) for n in range(300)))
        assert sink.turned_away <= 10
        assert opened.is_available()
    assert len({mail.recipients for mail in sink.mails}) == len(sink.mails) == 300


async def test_f41_no_room_at_all_is_an_outage() -> None:
    """A server without a free connection is left alone like one that is down: no storm of 421s."""
    async with Sink(most_sessions=0) as sink, relay(sink, connections=10, rest=1000.0) as opened:
        await asyncio.gather(*(outcome(opened) for _ in range(100)))
        assert not opened.is_available()
    # Five that opened the breaker, and those that were on their way then.
    assert sink.turned_away <= 10


async def test_f41_a_rate_is_kept() -> None:
    """A relay that takes ten mails in a span gets ten in it: what is asked for by `admit` is never turned away."""
    span = 1.0
    pace = RateLimiter(10, span)
    # Its span is shorter than ours by what a mail may take on a busy machine from its turn to its MAIL.
    async with Sink(most_mails=(10, span / 2)) as sink, relay(sink) as opened:

        async def send(number: int) -> None:
            await pace.acquire()
            await opened.send(SENDER, f"user{number}@example.org", MESSAGE)

        await asyncio.gather(*(send(number) for number in range(35)))
    assert (len(sink.mails), sink.turned_away) == (35, 0)


async def test_f41_without_our_cap_its_own_makes_no_storm() -> None:
    """A server that refuses for the rate is given fewer mails at once: those on their way are all that it refuses."""
    async with Sink(most_mails=(10, 60)) as sink, relay(sink, rest=1000.0) as opened:
        answers = await asyncio.gather(
            *(opened.send(SENDER, f"user{n}@example.org", MESSAGE) for n in range(200)), return_exceptions=True
        )
        (rate,) = opened.rates().values()
        assert rate is not None
        assert opened.is_available()
    assert sum(isinstance(answer, TemporaryFailure) and answer.cause == "pace" for answer in answers) == 190
    assert sink.turned_away <= 20


async def test_turns_are_a_sliding_window() -> None:
    """In any span there are at most so many turns, in the order in which they were asked for."""
    pace, order = RateLimiter(3, 0.2), []

    async def take(number: int) -> float:
        turn = await pace.acquire()
        order.append(number)
        return turn

    slots = await asyncio.gather(*(take(number) for number in range(10)))
    assert order == sorted(order)
    assert all(later - earlier >= 0.2 for earlier, later in zip(slots, slots[3:], strict=False))


async def test_no_cap_no_wait() -> None:
    """Without a cap a turn is there at once, however many ask."""
    async with relay(Sink()) as opened:
        async with asyncio.timeout(PATIENCE):
            slots = [await opened.acquire_rate() for _ in range(10_000)]
        opened.release_rate(slots[0])


async def test_a_turn_given_back_is_the_next_ones() -> None:
    """Whoever found nothing to send hands the turn on at once: stale jobs don't eat the cap."""
    pace = RateLimiter(1, 1000.0)
    turn = await pace.acquire()
    waiting = asyncio.create_task(pace.acquire())
    await asyncio.sleep(0)
    assert not waiting.done()
    pace.release(turn)
    async with asyncio.timeout(PATIENCE):
        turn = await waiting
    pace.release(turn)
    pace.release(turn)
    async with asyncio.timeout(PATIENCE):
        await pace.acquire()


async def test_a_cancelled_wait_takes_no_turn() -> None:
    """A worker that stops waiting leaves the turn to the next."""
    pace = RateLimiter(1, 1000.0)
    turn = await pace.acquire()
    first, second = asyncio.create_task(pace.acquire()), asyncio.create_task(pace.acquire())
    await asyncio.sleep(0)
    first.cancel()
    pace.release(turn)
    async with asyncio.timeout(PATIENCE):
        await second
    assert first.cancelled()


async def test_slots_are_first_come_first_served() -> None:
    """A place goes to who has waited longest; one who left is passed over."""
    slots, order = ConcurrencyLimit(1), []

    async def use(number: int) -> None:
        await slots.acquire()
        order.append(number)
        slots.release()

    await slots.acquire()
    tasks = [asyncio.create_task(use(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    slots.release()
    await asyncio.wait(tasks)
    assert (order, slots.busy) == ([0, 2, 3], 0)


async def test_a_place_taken_in_the_moment_of_a_cancel_is_given_back() -> None:
    """A place that was handed to somebody who was cancelled in the same instant is not lost."""
    slots = ConcurrencyLimit(1)
    await slots.acquire()
    waiting = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    slots.release()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert (waiting.cancelled(), slots.busy) == (True, 0)
    await slots.acquire()


async def test_a_smaller_limit_grows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while one place more is tried, up to the configured number; never fewer than one."""
    slots, loop = ConcurrencyLimit(3), asyncio.get_running_loop()
    slots.shrink(0, loop.time())
    assert slots.limit == 1
    monkeypatch.setattr("worker.relays.concurrency_limit.GROWTH", -1.0)
    for _ in range(3):
        await slots.acquire()
    assert (slots.limit, slots.busy) == (3, 3)
