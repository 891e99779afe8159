"""Consume the Redis queue; restart arq's worker after any Redis error, since it ends at the first."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arq.worker import Function, Worker, func

from service import redis_errors
from service.cancellation import cancel_and_wait
from service.outages import Outage
from service.queue import QUEUE, RECORD_LOG, SEND_MAIL, SEND_SMS, connect, deserialize, probe, serialize
from worker.dispatcher import Dispatcher
from worker.queue_repair import repair_queue
from worker.security_log import SecurityLogWriter
from worker.sms.poller import SmsPoller
from worker.waiting import wait_until

log = logging.getLogger(__name__)
# A mail waits for a poll half that long on average. A job returns at once.
_POLL, _DRAIN, _LONGEST_PAUSE = 0.01, 3.0, 5.0
# Seconds until a job may run again whose worker died while it ran.
_JOB = 5


@dataclass(slots=True)
class QueueConsumer:
    """Consumer of the jobs of all processes. A job names a row and no more: the row decides what is left to do."""

    redis_url: str
    dispatcher: Dispatcher
    sms_poller: SmsPoller
    log_writer: SecurityLogWriter
    jobs: int
    name: str
    outage: Outage

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; then finish the jobs that were begun."""
        # At lower levels arq logs jobs with their arguments, and a line for each stale one.
        logging.getLogger("arq").setLevel(logging.ERROR)
        pause = 0.1
        while not stop.is_set():
            try:
                await self._consume(stop)
                pause = 0.1
            except Exception as error:  # noqa: BLE001 - no error of Redis or arq may end the worker
                self.outage.record_failure(redis_errors.fault(error))
                await self._repair()
                await wait_until(stop, until=asyncio.get_running_loop().time() + pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def _consume(self, stop: asyncio.Event) -> None:
        worker = self._worker()
        polling = asyncio.create_task(self._poll_redis(worker))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await cancel_and_wait(polling)
            outcome = None if polling.cancelled() else polling.exception()
            # No new jobs come now. Those that run write to Redis when they end, so the pool is closed after that: they
            # would open it again.
            await _wait_for_jobs(list(worker.tasks.values()))
            for job in worker.tasks.values():
                job.add_done_callback(_retrieve_exception)
            await worker.pool.aclose(close_connection_pool=True)
        if isinstance(outcome, Exception):
            raise outcome

    async def _poll_redis(self, worker: Worker) -> None:
        await probe(worker.pool)
        self.outage.record_success(sure=True)
        await worker.async_run()

    async def _repair(self) -> None:
        """Delete keys of a wrong type: arq fails at them, and would do so for ever."""
        redis = connect(self.redis_url)
        try:
            self.dispatcher.delivery.recorder.metrics.add("redis_keys_repaired", await repair_queue(redis))
        except Exception as error:  # noqa: BLE001 - most likely Redis is away, which is logged already
            log.debug(
                "The worker could not repair the queue",
                extra={"event": "queue.repair_failed", "cause": type(error).__name__},
            )
        finally:
            await redis.aclose(close_connection_pool=True)

    def _worker(self) -> Worker:
        return Worker(
            [
                self._job(self.send_mail, SEND_MAIL),
                self._job(self.send_sms, SEND_SMS),
                self._job(self.record_log, RECORD_LOG),
            ],
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
    def _job(act: Callable[[dict[str, Any], str, str], Awaitable[None]], name: str) -> Function:
        return func(act, name=name)  # type: ignore[arg-type]  # arq's protocol wants a __qualname__, which methods have

    # No job waits for its work: arq asks Redis for each job that runs, at each of its polls.

    async def send_mail(self, _context: dict[str, Any], _mail_id: str, _project_id: str) -> None:
        """Dispatch all due mails; the job only says that there are some."""
        self.dispatcher.wake()

    async def send_sms(self, _context: dict[str, Any], sms_id: str, project_id: str) -> None:
        self.sms_poller.begin(UUID(sms_id), project_id)

    async def record_log(self, _context: dict[str, Any], _event_id: str, _project_id: str) -> None:
        """Write all pending events; the job only says that there are some."""
        self.log_writer.wake()


def _retrieve_exception(job: asyncio.Task[Any]) -> None:
    """Retrieve a job's exception, so that asyncio doesn't report it as never retrieved."""
    if not job.cancelled():
        job.exception()


async def _wait_for_jobs(tasks: list[asyncio.Task[Any]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=_DRAIN)
