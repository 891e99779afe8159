"""Wake-ups: one task does the work of all that come while it works, and looks once more before it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.cancellation import cancel_and_wait


@dataclass(slots=True, eq=False)
class WakeUps:
    """Runs `act` for wake-ups, never twice at a time; an error of one run goes to `report` and ends no other."""

    act: Callable[[], Awaitable[None]]
    report: Callable[[Exception], None]
    _again: bool = False
    _task: asyncio.Task[None] | None = None

    def wake(self) -> asyncio.Task[None]:
        """Have the work looked for after this moment; return the task that does."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return self._task

    async def _run(self) -> None:
        while self._again:
            self._again = False
            try:
                await self.act()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next wake-up comes
                self.report(error)

    async def stop(self) -> None:
        if self._task is not None:
            await cancel_and_wait(self._task)
