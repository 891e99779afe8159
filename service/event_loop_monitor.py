"""The event loop's delays: a monitor that logs when code of this service, or a busy machine, has held it up."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)
# Lateness in seconds that is logged: no code of this service may hold the loop up for so long.
TURN, HELD_UP = 0.5, 1.0
# New objects between two rounds of the garbage collector, and rounds between two of the older generations. By default
# a request alone, of some thousand objects, has several rounds, each over what the other requests still need.
_THRESHOLDS = 5_000, 20, 20


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


def spare_startup() -> None:
    """Take everything made so far out of the garbage collector's rounds, which become rarer: it lives on.

    A full round over it takes 60 ms with the interpreter locked. Any thread can be the one to run it, and in a password
    hash's thread, which has a low priority, a busy machine makes seconds of that.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
