"""Readiness of this process for proxies, over connections that no request can hold."""

import asyncio
import logging

from aiohttp import web

from service import database_health, json_logging, queue, redis_errors
from service.database_health import Clock
from service.db import Pool, PostgresHung, explain
from service.outages import Peers, peers_of
from service.settings import Settings
from service.store import migrations, sealed_rows

log = logging.getLogger(__name__)
_MIGRATE = "run `python -m service migrate`"
# Seconds for one check, between two, and between two while Postgres has not been seen.
_PATIENCE, _ROUND, _WAIT = 2.0, 5.0, 0.5
# With a clock further off than this, expiries would come too late or too early (docs/reliability.md F61).
_OFF = 2.0


class Readiness:
    """Readiness endpoint; `stopping` turns true first at a stop, so that a proxy sends no more requests."""

    def __init__(self, settings: Settings, peers: Peers | None = None) -> None:
        self.clock, self.stopping = Clock(), False
        self._peers = peers or peers_of(settings)
        self._url = settings.database_url.get_secret_value()
        self._pool = Pool(self._url, size=1, name="accounts-health", outage=self._peers.postgres)
        self._redis = queue.connect(settings.redis_url.get_secret_value(), timeout=0.5)
        self._version = migrations.load()[-1].version
        self._ring = settings.key_ring
        # Keys that rows need and this process has not, in words; None as long as Postgres has not been asked.
        self.missing_keys: str | None = None
        self._seen, self._reported = False, False
        self._fault = "it has not been checked yet"
        self._where = f"postgres at {self._peers.postgres.server}"

    @property
    def is_ready(self) -> bool:
        """Return whether the last check found nothing, and the process was not told to stop."""
        return not self._fault and not self.stopping

    async def live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True, "lines_dropped": json_logging.dropped_lines()})

    async def ready(self, _request: web.Request) -> web.Response:
        """Answer a probe. Without Redis it is ready and says so: Postgres counts limits, the poller finds mails."""
        fault, redis = await asyncio.gather(self.check(), self._probe_redis())
        if self.stopping:
            fault = "it is stopping"
        answer = {"ready": not fault, "fault": fault, "degraded": [] if redis else ["redis"]}
        return web.json_response(answer, status=503 if fault else 200)

    async def check(self) -> str:
        """Return the reason why this process can't serve, in words; empty if it can."""
        try:
            async with asyncio.timeout(_PATIENCE):
                findings = await database_health.check(self._pool, self.clock)
                fault = self._judge(findings) or await self._check_keys()
        except Exception as error:  # noqa: BLE001 - any error means that this Postgres can't serve
            self._pool.note(PostgresHung() if isinstance(error, TimeoutError) else error)
            self._fault = explain(error, self._url)
            return self._fault
        self._seen, self._fault = True, fault
        if bool(fault) != self._reported:
            self._reported = bool(fault)
            self._log_change(fault)
        return fault

    @staticmethod
    def _log_change(fault: str) -> None:
        if fault:
            log.warning("The service is not ready", extra={"event": "service.not_ready", "fault": fault})
        else:
            log.warning("The service is ready again", extra={"event": "service.ready"})

    def _judge(self, findings: database_health.DatabaseHealth) -> str:
        if findings.read_only:
            self._pool.expire()  # the next check finds the new primary
            return f"{self._where} may only be read: it is a standby, or was made read-only"
        if findings.version < self._version:
            return f"{self._where} has schema {findings.version}, this code needs {self._version}: {_MIGRATE}"
        if abs(self.clock.offset) > _OFF:
            return f"the clock of {self._where} is {self.clock.offset:+.1f} s from this machine's"
        return ""

    async def _check_keys(self) -> str:
        """Look for keys that rows need, until none is missing: what is sealed later has a key of this ring."""
        if self.missing_keys != "":
            self.missing_keys = await sealed_rows.missing_keys(self._pool, self._ring)
        return self.missing_keys

    async def _probe_redis(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                await queue.probe(self._redis)
        except Exception as error:  # noqa: BLE001 - no error of Redis keeps the process from serving
            self._peers.redis.record_failure(redis_errors.fault(error))
            return False
        self._peers.redis.record_success()
        return True

    async def watch(self) -> None:
        """Check regularly until cancelled, so that clock and log stay right where no proxy asks."""
        while True:
            await self._probe_redis()
            await asyncio.sleep(_ROUND if self._seen else _WAIT)
            await self.check()

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)
        await self._pool.close()
