"""Argon2id in a bounded pool, so that a flood of logins costs its own answers and nobody else's."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from service.errors import Overloaded

Result = TypeVar("Result")

# OWASP's floor: 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# An imported or planted hash may ask for more than a server has.
_MEMORY_CAP = 256 * 1024
_QUEUE, _PATIENCE = 64, 2.0


def _step_back() -> None:
    """Let the event loop go first: with it GET's p99 grows 1.2 times while logins hash, without it 5.2 times."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


class Passwords:
    """`threads` hash at once, 64 more wait up to 2 s; who comes then is told to come again."""

    def __init__(self, threads: int = 0) -> None:
        threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(threads, "hash", initializer=_step_back)
        self._free = asyncio.Semaphore(threads)
        self._waiting = 0
        # What a login for nobody is checked against: the same work, the same time.
        self._nobody = _HASHER.hash(os.urandom(16).hex())

    async def hash(self, password: str) -> str:
        return await self._run(lambda: _HASHER.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """False after the same work where there is no hash to check against."""
        right = await self._run(lambda: _matches(stored or self._nobody, password))
        return right and stored is not None

    @staticmethod
    def is_outdated(stored: str) -> bool:
        return _HASHER.check_needs_rehash(stored)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= _QUEUE:
            raise Overloaded(retry_after=2)
        self._waiting += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._free.acquire()
        except TimeoutError:
            raise Overloaded(retry_after=2) from None
        finally:
            self._waiting -= 1
        # A thread can't be stopped: a caller who leaves must not let a second hash start beside the running one.
        done = asyncio.get_running_loop().run_in_executor(self._pool, work)
        done.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(done)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _matches(stored: str, password: str) -> bool:
    try:
        if extract_parameters(stored).memory_cost > _MEMORY_CAP:
            return False
        return _HASHER.verify(stored, password)
    except (Argon2Error, InvalidHashError):
        return False
