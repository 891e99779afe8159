"""Monitor of the event loop: logs when code of this service, or a busy machine, has held it up."""

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)
# Lateness in seconds that is logged: no code of this service may hold the loop up for so long.
TURN, HELD_UP = 0.5, 1.0


async def monitor(count: Callable[[], None] | None = None) -> None:
    """Run until cancelled; log each delay and call `count`."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(TURN)
        late = time.monotonic() - before - TURN
        if late > HELD_UP:
            log.warning("The event loop was blocked", extra={"event": "event_loop.blocked", "seconds": round(late, 1)})
            if count:
                count()
