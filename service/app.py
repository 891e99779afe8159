"""The application: all routes, and the services that they share."""

import importlib
import pkgutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import web

import service.api
from service import outages
from service.accounts.password_policy import breached
from service.clientinfo import user_agents
from service.crypto import key_derivation
from service.crypto.jwts import Jwts
from service.crypto.password_hashing import PasswordHashPool
from service.db import Pool
from service.http import request_body
from service.http.context import Services
from service.http.forwarded import Forwarding
from service.http.metrics import ApiMetrics
from service.http.middleware import SERVICES, catch_unmatched, entry
from service.http.routing import ROUTES, Route
from service.identity_providers.client import IdentityProviders
from service.queue import JobQueue, connect
from service.rate_limiter import RateLimiter
from service.settings import Settings
from service.store import rate_limit_windows
from service.store.branding import BrandingCache, LogoCache
from service.store.projects import ProjectCache
from service.store.providers import ProviderCache


def routes() -> list[Route]:
    """List all routes: adding one takes one file in service/api."""
    for module in pkgutil.iter_modules(service.api.__path__):
        importlib.import_module(f"service.api.{module.name}")
    return ROUTES


def make(
    settings: Settings,
    now: Callable[[], float] = time.time,
    peers: outages.Peers | None = None,
    metrics: ApiMetrics | None = None,
) -> web.Application:
    """Make the API as an aiohttp application that opens and closes its own services. JWTs expire by `now`."""
    # A compressed body is refused (request_body.py), so nothing must unpack it before.
    app = web.Application(
        middlewares=[catch_unmatched], client_max_size=request_body.SIZE, handler_args={"auto_decompress": False}
    )
    for route in routes():
        for path in route.paths:
            enter = entry(route)
            app.router.add_route(route.method, path, enter)
            if route.method == "GET":
                app.router.add_route("HEAD", path, enter)
    services = ServicesOfApp(settings, now, peers or outages.peers_of(settings), metrics or ApiMetrics())
    app.cleanup_ctx.append(services.open_and_close)
    return app


@dataclass(frozen=True, slots=True)
class ServicesOfApp:
    """The services of one application: opened when it starts, closed when it ends."""

    settings: Settings
    now: Callable[[], float]
    peers: outages.Peers
    metrics: ApiMetrics

    async def open_and_close(self, app: web.Application) -> AsyncIterator[None]:
        """Keep the services for as long as aiohttp keeps this open (web.Application.cleanup_ctx)."""
        url, size = self.settings.database_url.get_secret_value(), self.settings.database_connections
        pool = Pool(url, size=size, name="accounts-api", outage=self.peers.postgres)
        redis = connect(self.settings.redis_url.get_secret_value(), timeout=None)
        limits = RateLimiter(redis, self._limits_key(), rate_limit_windows.Store(pool), self.peers.redis)
        job_queue = JobQueue(redis, self.peers.redis, self.metrics.auth.record_commit)
        services = app[SERVICES] = self._open(pool, limits, job_queue)
        yield
        services.passwords.close()
        await services.identity_providers.close()
        await services.job_queue.drain()
        await redis.aclose(close_connection_pool=True)
        await pool.close()

    def _open(self, pool: Pool, limits: RateLimiter, job_queue: JobQueue) -> Services:
        settings, ring = self.settings, self.settings.key_ring
        user_agents.load_rules()
        return Services(
            settings=settings,
            ring=ring,
            pool=pool,
            projects=ProjectCache(pool),
            branding=BrandingCache(pool),
            logos=LogoCache(pool),
            passwords=PasswordHashPool(
                settings.hash_threads, breached=breached(settings), observe=self.metrics.hash.observe
            ),
            jwts=Jwts(ring, self.now),
            limits=limits,
            job_queue=job_queue,
            forwarding=Forwarding(settings.forwarded_header, settings.trusted_hops),
            providers=ProviderCache(pool, ring),
            identity_providers=IdentityProviders(self.now),
            metrics=self.metrics,
        )

    def _limits_key(self) -> bytes:
        ring = self.settings.key_ring
        return key_derivation.derive(ring[key_derivation.current(ring)], "limits")
