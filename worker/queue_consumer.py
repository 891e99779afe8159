"""Hears the bell: an arq worker that is put back on its feet whatever Redis does (dependencies.md 3)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arq.worker import Function, Worker, func

from service import redis_errors
from service.outages import Outage
from service.queue import QUEUE, RECORD_LOG, SEND_MAIL, connect, deserialize, serialize
from worker.asyncio_tools import cancel_and_wait, wait_until
from worker.delivery import Delivery
from worker.queue_repair import repair_queue
from worker.security_log import SecurityLogWriter

log = logging.getLogger(__name__)
# Jobs are given a little more than the mails in their hands, which are cut off by then.
_POLL, _DRAIN, _LONGEST_REST = 0.05, 13.0, 5.0
# Longer than a dialogue whose every step takes its whole time; a job that outlives its process is a row that the sweep
# takes up long before.
_JOB = 3600


@dataclass(slots=True)
class QueueConsumer:
    """Turns rings into work. A job carries an id and no authority: the row decides what is left to do."""

    redis_url: str
    delivery: Delivery
    log_writer: SecurityLogWriter
    jobs: int
    name: str
    outage: Outage

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until told to stop; then finish what was begun."""
        # Below that arq writes jobs with their arguments, and a line for each that is stale.
        logging.getLogger("arq").setLevel(logging.ERROR)
        rest = 0.1
        while not stop.is_set():
            try:
                await self._consume(stop)
                rest = 0.1
            except Exception as error:  # noqa: BLE001 - whatever Redis or arq does, the worker stays
                self.outage.record_failure(redis_errors.fault(error))
                await self._repair()
                await wait_until(stop, until=asyncio.get_running_loop().time() + rest)
                rest = min(_LONGEST_REST, rest * 2)

    async def _consume(self, stop: asyncio.Event) -> None:
        worker = self._worker()
        listening = asyncio.create_task(self._hear(worker))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await cancel_and_wait(listening)
            outcome = None if listening.cancelled() else listening.exception()
            # No new jobs come now. Those under way finish, and answer to Redis when they end: a pool closed before that
            # would be opened again by them.
            await _finish(list(worker.tasks.values()))
            for job in worker.tasks.values():
                job.add_done_callback(_release)
            await worker.pool.aclose(close_connection_pool=True)
        if isinstance(outcome, Exception):
            raise outcome

    async def _hear(self, worker: Worker) -> None:
        await worker.pool.ping()
        self.outage.record_success(sure=True)
        await worker.async_run()

    async def _repair(self) -> None:
        """The library stops at a key that isn't what it should be, and would stop there for ever."""
        redis = connect(self.redis_url)
        try:
            self.delivery.recorder.counts.add("redis_keys_mended", await repair_queue(redis))
        except Exception as error:  # noqa: BLE001 - Redis is away most likely, and said so already
            log.debug("nothing could be mended", extra={"cause": type(error).__name__})
        finally:
            await redis.aclose(close_connection_pool=True)

    def _worker(self) -> Worker:
        return Worker(
            [self._job(self.send_mail, SEND_MAIL), self._job(self.record_log, RECORD_LOG)],
            queue_name=QUEUE,
            redis_pool=connect(self.redis_url, timeout=5.0),
            handle_signals=False,
            max_jobs=self.jobs,
            job_timeout=_JOB,
            keep_result=0,
            poll_delay=_POLL,
            queue_read_limit=1000,
            health_check_interval=10,
            health_check_key=f"{QUEUE}:health:{self.name}",
            job_serializer=serialize,
            job_deserializer=deserialize,
            log_results=False,
        )

    @staticmethod
    def _job(act: Callable[[dict[str, Any], str], Awaitable[None]], name: str) -> Function:
        return func(act, name=name)  # type: ignore[arg-type]  # arq's protocol wants a __qualname__, which methods have

    async def send_mail(self, _context: dict[str, Any], mail_id: str) -> None:
        await self._attempt(self.delivery.deliver, UUID(mail_id))

    async def record_log(self, _context: dict[str, Any], _event_id: str) -> None:
        """The ring says that something waits; all of it is filed."""
        await self._attempt(self.log_writer.write_pending)

    async def _attempt(self, act: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """A failed job is done with: its row stays due, and the sweep tries again."""
        try:
            await act(*arguments)
        except Exception as error:
            if not self.delivery.pool.note(error):
                log.exception("a job failed; the sweep will take it up")


def _release(job: asyncio.Task[Any]) -> None:
    """Look at its end, so that nobody calls it unseen."""
    if not job.cancelled():
        job.exception()


async def _finish(tasks: list[asyncio.Task[Any]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=_DRAIN)
