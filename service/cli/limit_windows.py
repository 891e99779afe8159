"""Rate limits of a project: their numbers, and what its windows hold. Imports the web stack."""

import argparse
import math
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from service import app, outages, phone_numbers, queue
from service.accounts import first_tab, mail_quotas, presented_invitations, sms_quotas, wrong_codes
from service.cli.commands import NotFound, UsageError, database, find_project
from service.cli.tables import Listing
from service.crypto import key_derivation
from service.db import Pool
from service.http import client_info
from service.http import rate_limit_keys as counting
from service.rate_limiter import RateLimiter, Rule, Usage, Window
from service.store import projects, rate_limit_windows
from service.store.projects import Project

if TYPE_CHECKING:
    from service.settings import Settings


def all_rules() -> dict[str, Rule]:
    """Collect every rule that a project may change, by name."""
    declared = [limit.rule for route in app.routes() for limit in route.limits]
    codes = (*wrong_codes.RULES, *presented_invitations.RULES, *first_tab.RULES)
    over_routes = (*mail_quotas.RULES, *sms_quotas.RULES, *codes)
    return {rule.name: rule for rule in (*declared, *over_routes)}


async def set_numbers(arguments: argparse.Namespace, settings: "Settings") -> object:
    if arguments.rule not in all_rules():
        raise UsageError(f"no rule {arguments.rule}; `limits show PROJECT` lists them")
    async with database(settings) as pool:
        if not await projects.set_limit(pool, arguments.project, rule=arguments.rule, numbers=arguments.numbers):
            raise NotFound(f"no project {arguments.project}")
        project = await find_project(pool, arguments.project)
    return {"project": project.id, **_described(project, all_rules()[arguments.rule])}


def _described(project: Project, rule: Rule) -> dict[str, Any]:
    found = counting.project_rules(project, [rule])
    limit = f"{found[0].limit} in {found[0].window} s" if found else "off"
    return {"rule": rule.name, "limit": limit, "default": rule.name not in project.limits}


async def show(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool, _limits(settings, pool) as limits:
        project = await find_project(pool, arguments.project)
        if not (arguments.email or arguments.phone or arguments.user or arguments.ip):
            rows = [_described(project, rule) for rule in all_rules().values()]
            return Listing(rows, ("rule", "limit", "default"))
        selected = list(_windows(project, arguments))
        rules = [window.rule for _, counted in selected for window in counted]
        names = [name for each in selected for name in _names(limits, *each)]
        return Listing(await _look(pool, limits, names, rules), ("rule", "used", "limit", "window", "reset"))


async def _look(pool: Pool, limits: RateLimiter, names: list[str], rules: list[Rule]) -> list[dict[str, Any]]:
    """Read usage from Redis or Postgres, whichever knows of more calls; Postgres alone while Redis is away."""
    in_redis: list[Usage] = []
    try:
        in_redis = await limits.redis.peek(names, rules)
    except outages.ServerUnavailable as error:
        _warn(f"{error}\nThese are the numbers that Postgres has.")
    kept = await rate_limit_windows.find(pool, names, [rule.window for rule in rules])
    answer: list[dict[str, Any]] = []
    for number, rule in enumerate(rules):
        pairs = [(kept[number].before, kept[number].wait)]
        pairs += [(each.before, each.wait) for each in in_redis[number : number + 1]]
        used, wait = max(pairs)
        facts = {"rule": rule.name, "used": used, "limit": rule.limit, "window": rule.window}
        answer.append(facts | {"reset": math.ceil(wait / 1_000_000)})
    return answer


async def reset(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Reset windows; API processes learn of it from Postgres, whether or not Redis could be notified."""
    if not (arguments.email or arguments.phone or arguments.user or arguments.ip):
        raise UsageError("whose windows? --email, --phone, --user or --ip")
    async with database(settings) as pool, _limits(settings, pool) as limits:
        project = await find_project(pool, arguments.project)
        names = [name for scope, counted in _windows(project, arguments) for name in _names(limits, scope, counted)]
        emptied = await rate_limit_windows.reset(pool, names)
        try:
            emptied = max(emptied, await limits.redis.reset(names))
        except outages.ServerUnavailable as error:
            _warn(f"{error}\nThe API tells it of this reset when it is back.")
        return {"project": project.id, "emptied": emptied}


def _names(limits: RateLimiter, scope: str, counted: list[Window]) -> list[str]:
    return [limits.key_of(scope, window.rule, window.value) for window in counted]


def _warn(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _windows(project: Project, arguments: argparse.Namespace) -> Iterator[tuple[str, list[Window]]]:
    """Find the windows that count a value, with the project that owns them: none for those of all projects together.

    Raises UsageError.
    """
    if arguments.ip and not client_info.is_address(arguments.ip):
        raise UsageError("--ip is an IPv4 or IPv6 address")
    if arguments.phone and not phone_numbers.is_number(arguments.phone):
        raise UsageError("--phone is a number such as +4915112345678: +, country and number, without spaces")
    found: list[Window] = []
    if email := arguments.email:
        found += [Window(rule, counting.mailbox_key(email)) for rule in _declared(project, "email")]
        found += [counting.window_of_devices(rule, email) for rule in _declared(project, "email")]
        found += mail_quotas.by_devices(project, email)
        found += mail_quotas.of_recovery_codes(project, email, *mail_quotas.BY_RECOVERY_CODES)
    if phone := arguments.phone:
        found += [Window(rule, counting.fold(phone)) for rule in _declared(project, "phone")]
        of_number = (*sms_quotas.BY_NUMBER, *sms_quotas.BY_OWNER)
        found += [Window(rule, phone) for rule in counting.project_rules(project, of_number)]
        found += [counting.window_of_devices(rule, phone) for rule in _declared(project, "phone")]
    if user := arguments.user:
        found += [Window(rule, user) for rule in _declared(project, "user")]
        found += [Window(rule, counting.guess_key(user, "")) for rule in _declared(project, "userId")]
        of_user = [mail_quotas.BY_NEW_DEVICE, *wrong_codes.OF_MEMBERS]
        found += [Window(rule, user) for rule in counting.project_rules(project, of_user)]
    if ip := arguments.ip:
        of_address = _declared(project, "ip", "network")
        others = [wrong_codes.OF_NETWORK, sms_quotas.BY_NETWORK, first_tab.OF_ADDRESS]
        of_address += counting.project_rules(project, others)
        found += [window for rule in of_address for window in counting.windows_of_address(rule, ip)]
    yield project.id, found
    yield mail_quotas.scope(project), mail_quotas.windows(project, email=email or "", ip=ip or "")


def _declared(project: Project, *by: str) -> list[Rule]:
    """List routes' rules with this key, with the project's own numbers."""
    declared = [limit.rule for route in app.routes() for limit in route.limits if limit.by in by]
    return counting.project_rules(project, dict.fromkeys(declared))


@asynccontextmanager
async def _limits(settings: "Settings", pool: Pool) -> AsyncIterator[RateLimiter]:
    """Open the windows as the API sees them."""
    ring = settings.key_ring
    url = settings.redis_url.get_secret_value()
    redis = queue.connect(url)
    try:
        yield RateLimiter(
            redis,
            key_derivation.derive(ring[key_derivation.current(ring)], "limits"),
            rate_limit_windows.Store(pool),
            outages.of_redis(url),
        )
    finally:
        await redis.aclose(close_connection_pool=True)
