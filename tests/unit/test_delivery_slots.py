"""So many mails at once, and none once the worker stops."""

import asyncio

import pytest

from worker.concurrency import DeliverySlots


async def at_once() -> float:
    return 1.0


async def never() -> float:
    await asyncio.Event().wait()
    return 0.0


async def test_there_are_never_more_than_so_many():
    """Whoever comes when all places are taken waits for one."""
    slots, now, most = DeliverySlots(3), 0, 0

    async def work() -> None:
        nonlocal now, most
        async with slots.acquire(at_once) as admitted:
            assert admitted == 1.0
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 3


async def test_who_waits_when_it_closes_gets_nothing():
    """Neither for a place nor for the relay's leave does a worker that stops wait on."""
    slots, seen = DeliverySlots(1), []

    async def wait() -> None:
        async with slots.acquire(never) as admitted:
            seen.append(admitted)

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    await slots.drain(seconds=10, hurry=asyncio.Event())
    await asyncio.gather(*waiting)
    async with slots.acquire(at_once) as admitted:
        seen.append(admitted)
    assert seen == [None] * 4


async def test_a_batch_that_waits_for_leave_holds_one_slot():
    """While a relay's rate is waited for, SMS have the other slots: no code waits for the relay's next minute."""
    slots, seen = DeliverySlots(3), []

    async def send_batch() -> None:
        async with slots.acquire_many(3, never, more):
            pass

    async def more(_most: int) -> list[float]:
        return []

    async def work() -> None:
        async with slots.acquire(at_once) as admitted:
            seen.append(admitted)

    batch = asyncio.create_task(send_batch())
    await asyncio.sleep(0)
    working = asyncio.gather(work(), work())
    for _ in range(10):
        await asyncio.sleep(0)
    batch.cancel()
    assert seen == [1.0, 1.0]
    await working
    with pytest.raises(asyncio.CancelledError):
        await batch


async def test_a_batch_has_as_many_slots_as_leaves():
    """It takes what is free of both; slots without a leave are free for others at once."""
    slots = DeliverySlots(4)

    async def one_more(most: int) -> list[float]:
        assert most == 2
        return [2.0]

    async with slots.acquire(at_once), slots.acquire_many(9, at_once, one_more) as admitted:
        assert admitted == [1.0, 2.0]
        async with slots.acquire(at_once):
            assert slots._semaphore.locked()
        slots.release(2)
    assert slots._semaphore._value == 4


async def test_what_is_under_way_is_waited_for():
    """Closing ends when the last one has, not before."""
    slots, go, done = DeliverySlots(2), asyncio.Event(), []

    async def work() -> None:
        async with slots.acquire(at_once):
            await go.wait()
            done.append(True)

    working = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(slots.drain(seconds=30, hurry=asyncio.Event()))
    await asyncio.sleep(0)
    assert not closing.done()
    go.set()
    await closing
    assert done == [True, True]
    await asyncio.gather(*working)


@pytest.mark.parametrize("hurried", [True, False])
async def test_what_takes_too_long_is_cut_off(hurried: bool):
    """Work that takes too long is cut off at the end of the time, or at a second signal."""
    slots, hurry = DeliverySlots(2), asyncio.Event()

    async def work() -> None:
        async with slots.acquire(at_once):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    if hurried:
        hurry.set()
    await slots.drain(seconds=30 if hurried else 0.01, hurry=hurry)
    assert working.cancelled()


async def test_a_cancel_of_somebody_elses_is_not_swallowed():
    """While the worker goes on, a task that is cancelled as it waits ends as cancelled, and its place is free."""
    slots = DeliverySlots(1)

    async def wait() -> None:
        async with slots.acquire(never):
            pass

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with slots.acquire(at_once) as admitted:
        assert admitted == 1.0
