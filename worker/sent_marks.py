"""Record what relays accepted, many mails of a project in one statement; each is in the journal until then."""

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field

from service.db import Pool
from service.store import outbox_outcomes
from service.store.outbox_outcomes import Acceptance

# Seconds between two statements: what is accepted meanwhile goes with the next. The first of a burst does not wait.
_INTERVAL = 0.005
_MOST = 200


@dataclass(slots=True)
class SentMarks:
    """Acceptances of one worker that wait for their statement."""

    pool: Pool
    worker: str
    _waiting: "deque[tuple[Acceptance, asyncio.Future[bool]]]" = field(default_factory=deque)
    _task: asyncio.Task[None] | None = None

    async def mark(self, accepted: Acceptance) -> bool:
        """Record an acceptance; False if the mail had ended otherwise, or was claimed once more. Raises as asyncpg."""
        marked: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((accepted, marked))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await marked

    async def flush(self) -> None:
        """Wait until everything that waits was tried."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
            by_project = defaultdict[str, list[tuple[Acceptance, asyncio.Future[bool]]]](list)
            for each in batch:
                by_project[each[0].lease.project_id].append(each)
            for theirs in by_project.values():
                await self._write(theirs)
            await asyncio.sleep(_INTERVAL)

    async def _write(self, batch: "list[tuple[Acceptance, asyncio.Future[bool]]]") -> None:
        try:
            recorded = await outbox_outcomes.mark_sent(
                self.pool, [accepted for accepted, _ in batch], worker=self.worker
            )
        except Exception as error:  # noqa: BLE001 - raised where the mails are recorded
            for _, marked in batch:
                if not marked.done():
                    marked.set_exception(error)
        except BaseException:
            for _, marked in batch:
                marked.cancel()
            raise
        else:
            for accepted, marked in batch:
                if not marked.done():
                    marked.set_result(accepted.lease in recorded)
