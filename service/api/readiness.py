"""Whether this process may get requests: asked by proxies, over connections that no request can hold."""

import asyncio
import logging

from aiohttp import web

from service import health, jobs, journal, migrations
from service.db import Pool
from service.health import Clock
from service.settings import Settings

log = logging.getLogger(__name__)
# Seconds for one look, between two, and between two as long as Postgres has not been seen.
_PATIENCE, _ROUND, _WAIT = 2.0, 5.0, 0.5
# A machine that is further off than this would let what expires live too long or too short (reliability.md F61).
_OFF = 2.0


class Readiness:
    """`stopping` turns true first when the process is told to stop, so that a proxy sends it nothing more."""

    def __init__(self, settings: Settings) -> None:
        self.clock, self.stopping = Clock(), False
        self._pool = Pool(settings.database_url.get_secret_value(), size=1, name="accounts-health")
        self._redis = jobs.connect(settings.redis_url.get_secret_value(), timeout=0.5)
        self._version = migrations.load()[-1].version
        self._seen, self._fault = False, ""

    async def live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True, "lines_dropped": journal.dropped()})

    async def ready(self, _request: web.Request) -> web.Response:
        """Without Redis it is ready all the same, and says so: limits are counted here, mails go out by the sweep."""
        fault, redis = await asyncio.gather(self.look(), self._hears_redis())
        if self.stopping:
            fault = "it is stopping"
        answer = {"ready": not fault, "fault": fault, "degraded": [] if redis else ["redis"]}
        return web.json_response(answer, status=503 if fault else 200)

    async def look(self) -> str:
        """What keeps this process from serving, in words; empty if nothing does."""
        try:
            async with asyncio.timeout(_PATIENCE):
                findings = await health.examine(self._pool, self.clock)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no working with this Postgres
            fault = f"postgres can't be asked: {type(error).__name__}"
        else:
            self._seen = True
            fault = self._judge(findings)
        if fault != self._fault:
            log.warning("not ready" if fault else "ready again", extra={"fault": fault})
            self._fault = fault
        return fault

    def _judge(self, findings: health.Findings) -> str:
        if findings.read_only:
            self._pool.expire()  # the next look finds the new primary
            return "postgres may only be read"
        if findings.version < self._version:
            return "the schema is older than this code: run `python -m service migrate`"
        if abs(self.clock.offset) > _OFF:
            return f"this machine's clock is {self.clock.offset:+.1f} s from postgres's"
        return ""

    async def _hears_redis(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                return bool(await self._redis.ping())
        except Exception:  # noqa: BLE001 - nor does it matter here in which way Redis is away
            return False

    async def watch(self) -> None:
        """Keep the clock right where nobody asks, until cancelled."""
        while True:
            await asyncio.sleep(_ROUND if self._seen else _WAIT)
            await self.look()

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)
        await self._pool.close()
