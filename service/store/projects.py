"""Projects: their allowed hosts, their rules and their API keys."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

from service.crypto import key_derivation
from service.db import Connection, Executor, Pool, Queries, transaction
from service.errors import AccountError
from service.scopes import EVENTS_READ
from service.store import event_feed
from service.store.aging_cache import AgingCache

_sql = Queries("projects")


class ProjectExists(AccountError):
    """A project with this ID, or with one that differs in capitals only, exists already."""

    status, type = 409, "project_already_exists"


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    name: str
    created_at: datetime
    sender_name: str
    sender_address: str
    locale: str
    verification_url: str
    modern_by_default: bool
    reveal_unknown_users: bool
    plain_http: bool
    password_min: int
    password_max: int
    session_seconds: int
    recovery_seconds: int
    verification_seconds: int
    magic_url_seconds: int
    otp_seconds: int
    session_limit: int
    unverified_days: int
    anonymous_days: int
    end_warning_days: int
    end_made_accounts: bool
    sign_up: Literal["open", "closed", "domains", "invitation"]
    sign_up_domains: list[str]
    test_domains: list[str]
    one_per_mailbox: bool
    verified_sign_in: bool
    partitioned_cookies: bool
    magic_links: Literal["link", "first-tab"]
    limits: dict[str, list[int]]
    limits_dry_run: bool
    notify_new_device: bool
    private_signup: bool
    password_blocklist: bool
    password_personal_data: bool
    password_history: int
    special_use_domains: bool
    mfa_factors: list[str]
    provider_mfa: str
    provider_tokens: bool
    passkeys: bool
    rp_id: str
    redirect_schemes: list[str]
    sms_countries: list[str]
    # Codes by number; whoever reads them gets into accounts of tests only.
    mock_phones: dict[str, str] = field(repr=False)
    hostnames: list[str]
    apps: list[str]


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    expired: bool


async def find(conn: Executor, project_id: str) -> Project | None:
    return await _sql.one(conn, "find_project", Project, id=project_id)


async def list_all(conn: Executor) -> list[Project]:
    return await _sql.all(conn, "list_projects", Project)


@dataclass(frozen=True, slots=True)
class Alike:
    """Projects whose ids differ in capitals only, made before that was refused."""

    ids: list[str]


async def create(pool: Pool, project_id: str, *, name: str) -> None:
    """Create a project. Raises ProjectExists."""
    async with transaction(pool) as tx:
        await insert(tx, project_id, name=name)


async def insert(conn: Connection, project_id: str, *, name: str) -> None:
    """Create a project as part of a transaction. Raises ProjectExists."""
    await _sql.value(conn, "claim_project_id", id=project_id)
    if not await _sql.run(conn, "create_project", id=project_id, name=name):
        raise ProjectExists


async def alike(conn: Executor) -> list[Alike]:
    return await _sql.all(conn, "list_alike_projects", Alike)


async def change(conn: Executor, project_id: str, **changes: Any) -> bool:
    """Set columns by name; False where there is no such project."""
    return await _sql.run(conn, "change_project", id=project_id, changes=changes) == 1


async def set_limit(conn: Executor, project_id: str, *, rule: str, numbers: list[int] | None) -> bool:
    """Set calls and seconds of a rule, no numbers for no limit, None for the default; False without the project."""
    added = None if numbers is None else {rule: numbers}
    return await _sql.run(conn, "set_limit", id=project_id, rule=rule, added=added) == 1


async def add_platform(conn: Executor, project_id: str, *, hostname: str) -> None:
    await _sql.run(conn, "add_platform", project_id=project_id, hostname=hostname)


async def remove_platform(conn: Executor, project_id: str, *, hostname: str) -> bool:
    return await _sql.run(conn, "remove_platform", project_id=project_id, hostname=hostname) == 1


async def add_app(conn: Executor, project_id: str, *, app: str) -> None:
    """Add an app's id, or the origin of one in a web view; a link never leads to either."""
    await _sql.run(conn, "add_app", project_id=project_id, app=app)


async def remove_app(conn: Executor, project_id: str, *, app: str) -> bool:
    return await _sql.run(conn, "remove_app", project_id=project_id, app=app) == 1


async def create_api_key(
    conn: Connection | Executor,
    project_id: str,
    *,
    key_id: str,
    name: str,
    scopes: list[str],
    days: int | None = None,
) -> str:
    """Create a key for so many days, or for ever, and return it, this once: the database holds its digest."""
    secret = "key_" + secrets.token_hex(32)
    if EVENTS_READ in scopes:
        await event_feed.open_feed(conn, project_id)
    await _sql.run(
        conn,
        "create_api_key",
        project_id=project_id,
        id=key_id,
        name=name,
        secret_hash=key_derivation.digest(secret),
        scopes=scopes,
        days=days,
    )
    return secret


async def find_api_key(conn: Executor, project_id: str, *, secret: str) -> ApiKey | None:
    return await _sql.one(
        conn, "find_api_key", ApiKey, project_id=project_id, secret_hash=key_derivation.digest(secret)
    )


async def list_api_keys(conn: Executor, project_id: str) -> list[ApiKey]:
    return await _sql.all(conn, "list_api_keys", ApiKey, project_id=project_id)


async def revoke_api_key(conn: Executor, project_id: str, *, key_id: str) -> bool:
    return await _sql.run(conn, "revoke_api_key", project_id=project_id, id=key_id) == 1


class ProjectCache(AgingCache[Project]):
    """Cache of projects, so that a request costs no query for its project's rules."""

    def __init__(self, conn: Executor) -> None:
        super().__init__(partial(find, conn))
