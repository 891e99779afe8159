"""A call: one request with all that the guards found out about it. Handlers take nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from service.crypto.jwts import Jwts
from service.crypto.key_derivation import KeyRing
from service.crypto.password_hashing import PasswordHashPool
from service.db import Pool
from service.errors import AccountError
from service.http.api_version import LEGACY, ApiVersion
from service.http.forwarded import Forwarding
from service.queue import JobQueue
from service.rate_limiter import Decision, RateLimiter, Tally
from service.settings import Settings
from service.store.projects import ApiKey, Project, ProjectCache
from service.store.users import Member


@dataclass(frozen=True, slots=True)
class Services:
    """What the process has one of."""

    settings: Settings
    ring: KeyRing = field(repr=False)
    pool: Pool
    projects: ProjectCache
    passwords: PasswordHashPool
    jwts: Jwts
    limits: RateLimiter
    job_queue: JobQueue
    forwarding: Forwarding


@dataclass(frozen=True, slots=True)
class Client:
    """Who is on the other side, as far as the socket and trusted proxies tell."""

    ip: str
    user_agent: str
    locale: str
    origin: str


@dataclass(slots=True)
class RequestContext:
    """`path` holds the variables of the route that was found.

    The fields below it are filled in by the guards, in the era's order.
    """

    request: web.Request
    services: Services
    request_id: str
    client: Client
    path: web.UrlMappingMatchInfo
    api_version: ApiVersion = LEGACY
    found_project: Project | None = None
    found_member: Member | None = None
    key: ApiKey | None = None
    by_jwt: bool = False
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    # The same, checked, where a limit had to know it before the handler.
    parameters: object = field(default=None, repr=False)
    # Windows that have counted this call, and how many of them the run of the handler that is under way has asked for.
    tallies: list[Tally] = field(default_factory=list)
    asked: int = 0
    # How it ended, once that is certain.
    ended: bool = False
    fault: AccountError | None = None
    rate_limit: Decision | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def project(self) -> Project:
        """The guards let nobody through to a handler without one."""
        if self.found_project is None:
            raise LookupError
        return self.found_project

    @property
    def member(self) -> Member:
        """On member routes only."""
        if self.found_member is None:
            raise LookupError
        return self.found_member

    @property
    def pool(self) -> Pool:
        return self.services.pool
