"""Limit the deliveries at a time, of jobs and of polled mails alike, and drain them when the worker stops."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")
Task = asyncio.Task[object]


class DeliverySlots:
    """Semaphore of `most` deliveries that can be closed and drained."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._closed = False
        self._semaphore = asyncio.Semaphore(most)
        self._waiting: set[Task] = set()
        self._busy: set[Task] = set()
        self._idle = asyncio.Event()

    def is_closed(self) -> bool:
        return self._closed

    @asynccontextmanager
    async def acquire(self, admit: Callable[[], Awaitable[T]]) -> AsyncIterator[T | None]:
        """Wait for a slot, then for `admit`, and yield its result; yield None if the worker stops before that."""
        if self.is_closed():
            yield None
            return
        async with self._semaphore, self.admit(admit) as admitted:
            yield admitted

    @asynccontextmanager
    async def admit(self, admit: Callable[[], Awaitable[T]]) -> AsyncIterator[T | None]:
        """Do the same without a slot, for what is bounded otherwise; it is drained like the others."""
        task = _current()
        admitted = await self._admitted(task, admit)
        if admitted is None:
            yield None
            return
        self._busy.add(task)
        try:
            yield admitted
        finally:
            self._end(task)

    @asynccontextmanager
    async def admit_many(
        self, most: int, admit: Callable[[], Awaitable[T]], admit_more: Callable[[int], Awaitable[list[T]]]
    ) -> AsyncIterator[list[T]]:
        """Do the same as `acquire_many` without slots; tasks that use the results are to be drained by `watch`."""

        async def take() -> list[T]:
            return [await admit(), *await admit_more(most - 1)]

        async with self.admit(take) as admitted:
            yield admitted or []

    @asynccontextmanager
    async def acquire_many(
        self, most: int, admit: Callable[[], Awaitable[T]], admit_more: Callable[[int], Awaitable[list[T]]]
    ) -> AsyncIterator[list[T]]:
        """Wait for a slot, then for `admit`, and yield its result with those of `admit_more`, which waits for nothing.

        They are no more than `most`, nor than the slots that are free then: whoever waits for `admit` holds one only.
        Each result has a slot, to `hold` or to `release`; there is none if the worker stops before that.
        """
        taken = 0

        async def take() -> list[T]:
            nonlocal taken
            try:
                await self._semaphore.acquire()
                taken = 1
                admitted = [await admit()]
                while taken < most and not self._semaphore.locked():
                    await self._semaphore.acquire()
                    taken += 1
                return admitted + await admit_more(taken - 1)
            except BaseException:
                self.release(taken)
                taken = 0
                raise

        async with self.admit(take) as admitted:
            self.release(taken - len(admitted or ()))
            yield admitted or []

    def hold(self, task: Task) -> None:
        """Have a task keep a slot until it ends; it is drained like the others."""
        self.watch(task)
        task.add_done_callback(lambda _: self.release())

    def watch(self, task: Task) -> None:
        """Have a task drained like the others, without a slot."""
        self._busy.add(task)
        task.add_done_callback(self._end)

    def release(self, number: int = 1) -> None:
        for _ in range(number):
            self._semaphore.release()

    def _end(self, task: Task) -> None:
        self._busy.discard(task)
        if not self._busy:
            self._idle.set()

    async def _admitted(self, task: Task, admit: Callable[[], Awaitable[T]]) -> T | None:
        if self.is_closed():
            return None
        self._waiting.add(task)
        try:
            admitted = await admit()
        except asyncio.CancelledError:
            if not self.is_closed():
                raise
            task.uncancel()
            return None
        finally:
            self._waiting.discard(task)
        return None if self.is_closed() else admitted

    async def drain(self, *, seconds: float, hurry: asyncio.Event) -> None:
        """Admit no more; wait for the busy until the time is over or `hurry` is set, then cancel them."""
        self._closed = True
        for task in self._waiting:
            task.cancel()
        if not self._busy:
            return
        self._idle.clear()
        ends = {asyncio.create_task(self._idle.wait()), asyncio.create_task(hurry.wait())}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        if unfinished := set(self._busy):
            for task in unfinished:
                task.cancel()
            await asyncio.wait(unfinished, timeout=2)


def _current() -> Task:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a slot is only awaited in a task
    return task
