"""Wait for an event with a deadline; run an act at intervals."""

import asyncio
from collections.abc import Awaitable, Callable

from service.db import Pool


async def wait_until(event: asyncio.Event, *, until: float) -> None:
    """Wait for the event, at most until that time of the loop."""
    try:
        async with asyncio.timeout_at(until):
            await event.wait()
    except TimeoutError:
        pass


async def run_every(
    seconds: float, act: Callable[[], Awaitable[None]], pool: Pool, *, away: float, report: Callable[[Exception], None]
) -> None:
    """Run `act` at intervals, other ones while Postgres is `away`; `report` a repeated error of ours once."""
    reported = ""
    while True:
        wait = seconds
        try:
            await act()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round comes
            if pool.note(error):
                wait = away
            elif (kind := type(error).__name__) != reported:
                report(error)
                reported = kind
        else:
            reported = ""
        await asyncio.sleep(wait)
