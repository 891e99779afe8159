"""Ports of a worker: one that another process has is tried again, for a worker that is being replaced may have it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.outages import Outage

_AGAIN = 5.0
Made = TypeVar("Made")


def first_host(hosts: str) -> str:
    """Return the first address of HOST."""
    return next(name for part in hosts.split(",") if (name := part.strip()))


async def bind(start: Callable[[], Awaitable[Made]], outage: Outage, *, setting: str) -> Made:
    """Return what `start` makes once it can have its port."""
    while True:
        try:
            made = await start()
        except OSError as error:
            outage.record_failure(f"{error.strerror}: another process has it, or mend {setting}")
            await asyncio.sleep(_AGAIN)
        else:
            outage.record_success(sure=True)
            return made
