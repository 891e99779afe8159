"""Request context: one request with the results of all guards. The only argument of a handler."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

from service.crypto.jwts import Jwts
from service.crypto.key_derivation import KeyRing
from service.crypto.password_hashing import PasswordHashPool
from service.db import Act, Pool
from service.errors import AccountError
from service.http.api_version import LEGACY, ApiVersion
from service.http.forwarded import Forwarding
from service.http.metrics import ApiMetrics
from service.http.page_branding import UNBRANDED, PageBranding
from service.http.refused_origins import RefusedOrigins
from service.identity_providers.client import IdentityProviders
from service.queue import JobQueue
from service.rate_limiter import Decision, DeferredCount, RateLimiter, Tally, Window
from service.settings import Settings
from service.store.branding import BrandingCache, LogoCache
from service.store.events import Actor
from service.store.members import Member
from service.store.projects import ApiKey, Project, ProjectCache
from service.store.providers import ProviderCache
from service.store.unit_of_work import UnitOfWork, run_alone, unit_of_work

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Services:
    """Services of a process, one of each."""

    settings: Settings
    ring: KeyRing = field(repr=False)
    pool: Pool
    projects: ProjectCache
    branding: BrandingCache
    logos: LogoCache
    passwords: PasswordHashPool
    jwts: Jwts
    limits: RateLimiter
    job_queue: JobQueue
    forwarding: Forwarding
    providers: ProviderCache
    identity_providers: IdentityProviders
    metrics: ApiMetrics
    refused_origins: RefusedOrigins = field(default_factory=RefusedOrigins, repr=False)


@dataclass(frozen=True, slots=True)
class Client(Actor):
    """The client as far as the socket and trusted proxies tell."""

    locale: str
    origin: str


@dataclass(slots=True)
class RequestContext:
    """One request. `path` holds the variables of the matched route.

    The guards fill in the fields below it, in the order of the API version.
    """

    request: web.Request
    services: Services
    request_id: str
    client: Client
    path: web.UrlMappingMatchInfo
    api_version: ApiVersion = LEGACY
    found_project: Project | None = None
    # Of its pages; only they are given it.
    branding: PageBranding = UNBRANDED
    found_member: Member | None = None
    key: ApiKey | None = None
    by_jwt: bool = False
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    # The checked body, where a limit had to know it before the handler.
    parameters: object = field(default=None, repr=False)
    # Windows that have counted this request, and how many of them the current run of the handler has asked for.
    tallies: list[Tally] = field(default_factory=list)
    asked: int = 0
    # What Redis has counted and the statement of the act is to count in Postgres.
    deferred: DeferredCount | None = field(default=None, repr=False)
    # The scope and the windows of a mail to an address, once they are known.
    quotas: dict[str, tuple[str, list[Window]]] = field(default_factory=dict, repr=False)
    # The outcome, once it is certain.
    ended: bool = False
    fault: AccountError | None = None
    rate_limit: Decision | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def project(self) -> Project:
        """Project of the request; the guards let no request through to a handler without one."""
        if self.found_project is None:
            raise LookupError
        return self.found_project

    @property
    def member(self) -> Member:
        """Member who is calling; on member routes only."""
        if self.found_member is None:
            raise LookupError
        return self.found_member

    @property
    def pool(self) -> Pool:
        return self.services.pool

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a transaction; the mails and events written in it get their jobs after COMMIT."""
        return unit_of_work(self.pool, self.services.job_queue, self.project.id)

    async def run_alone(
        self,
        statement: Callable[[UnitOfWork, Act], Awaitable[Result]],
        *,
        recall: Callable[[Pool], Awaitable[Result | None]],
    ) -> Result:
        """Run a statement that is a unit of work by itself; `recall` reads its result where its answer was lost."""
        act = Act.of(self.project.id)
        return await run_alone(self.pool, self.services.job_queue, act, lambda tx: statement(tx, act), recall=recall)
