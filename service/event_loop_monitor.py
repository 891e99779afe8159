"""Tells when the event loop was held up: by code of ours that does not let go of it, or a machine that is too busy."""

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)
# The loop's turns must be this late before anyone is told: nothing of ours may hold it up for so long.
TURN, HELD_UP = 0.5, 1.0


async def monitor(count: Callable[[], None] | None = None) -> None:
    """Until cancelled. A line in the log says so each time, and `count` is called."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(TURN)
        late = time.monotonic() - before - TURN
        if late > HELD_UP:
            log.warning("the loop was held up", extra={"seconds": round(late, 1)})
            if count:
                count()
