"""Attempts one after another: waits between them, and an outcome that is written as soon as Postgres is there."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from service import db

# Seconds between two attempts at Postgres.
_RETRY = 0.5


def wait_after(attempts: int, waits: Sequence[float]) -> float:
    """Return the seconds to wait after so many attempts; the last of the waits repeats."""
    return waits[min(attempts, len(waits)) - 1]


def jittered(seconds: float) -> float:
    """Spread a wait by a fifth, so that what failed together is not tried together."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - jitter


async def retry_while_leased(
    act: Callable[[], Awaitable[bool]], lease: float, *, between: Callable[[], Awaitable[None]] | None = None
) -> bool:
    """Run `act`, again while Postgres is away and a lease of so many seconds can be ours, after `between`."""
    until = time.monotonic() + lease
    while True:
        try:
            return await act()
        except Exception as error:
            if db.find_fault(error) is None or time.monotonic() > until:
                raise
        if between is not None:
            await between()
        await asyncio.sleep(_RETRY)
