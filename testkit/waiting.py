"""Waiting for a condition that nothing announces: another process's, a server's, a table's."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from testkit.patience import PATIENCE


async def until(ask: Callable[[], Any | Awaitable[Any]], *, seconds: float = PATIENCE, what: str = "") -> Any:
    """Return the first truthy answer of `ask`; raises TimeoutError with `what` when the time is over."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = ask()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(what or f"in vain for {seconds} s: {ask}")
        await asyncio.sleep(0.02)
