"""Rate limits: a project's own numbers, the usage of its windows, and resets."""

import argparse
import math
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from service import app, outages, queue
from service.accounts import mail_quotas
from service.cli.commands import NotFound, UsageError, add_command, add_group, database, find_project
from service.crypto import key_derivation
from service.db import Pool
from service.http import client_info
from service.http import rate_limit_keys as counting
from service.rate_limiter import RateLimiter, Rule, Usage, Window
from service.settings import Settings
from service.store import projects, rate_limit_windows
from service.store.projects import Project

_NUMBERS = re.compile(r"(?P<calls>[0-9]{1,6})/(?P<many>[0-9]{1,5})?(?P<unit>[smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST, _LONGEST = 100_000, 31 * 86_400


def add(verbs: Any) -> None:
    words = add_group(verbs, "limits", "rate limits: numbers of a project's own, and what its windows hold")
    change = add_command(words, "set", _set, "give a project numbers of its own for a rule")
    change.add_argument("project")
    change.add_argument("rule", help="as `limits show` names it")
    change.add_argument("numbers", type=_numbers, help="calls and time, such as 20/1h; off, or default")
    for name, act, text in (
        ("show", _show, "show a project's rules, or the windows of an address, a user or a client"),
        ("reset", _reset, "empty the windows of an address, a user or a client"),
    ):
        made = add_command(words, name, act, text)
        made.add_argument("project")
        made.add_argument("--email", help="an e-mail address, in any spelling")
        made.add_argument("--user", help="a user's id")
        made.add_argument("--ip", help="a client's address; with --email also what the two have together")


def _numbers(text: str) -> list[int] | None:
    """Parse calls and seconds; none for `off`, None for `default`."""
    if text in ("off", "default"):
        return [] if text == "off" else None
    match = _NUMBERS.fullmatch(text)
    numbers = [int(match["calls"]), int(match["many"] or 1) * _SECONDS[match["unit"]]] if match else [0, 0]
    if not (1 <= numbers[0] <= _MOST and 1 <= numbers[1] <= _LONGEST):
        raise argparse.ArgumentTypeError("calls and time such as 20/1h or 100/15m; or off, or default")
    return numbers


def _rules() -> dict[str, Rule]:
    """Collect every rule that a project may change, by name."""
    declared = [limit.rule for route in app.routes() for limit in route.limits]
    return {rule.name: rule for rule in (*declared, *mail_quotas.RULES)}


async def _set(arguments: argparse.Namespace, settings: Settings) -> object:
    if arguments.rule not in _rules():
        raise UsageError(f"no rule {arguments.rule}; `limits show PROJECT` lists them")
    async with database(settings) as pool:
        if not await projects.set_limit(pool, arguments.project, rule=arguments.rule, numbers=arguments.numbers):
            raise NotFound(f"no project {arguments.project}")
        project = await find_project(pool, arguments.project)
    return {"project": project.id, **_described(project, _rules()[arguments.rule])}


def _described(project: Project, rule: Rule) -> dict[str, object]:
    found = counting.project_rules(project, [rule])
    limit = f"{found[0].limit} in {found[0].window} s" if found else "off"
    return {"rule": rule.name, "limit": limit, "default": rule.name not in project.limits}


async def _show(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool, _limits(settings, pool) as limits:
        project = await find_project(pool, arguments.project)
        if not (arguments.email or arguments.user or arguments.ip):
            return [_described(project, rule) for rule in _rules().values()]
        selected = list(_windows(project, arguments))
        rules = [window.rule for _, counted in selected for window in counted]
        return await _look(pool, limits, [name for each in selected for name in _names(limits, *each)], rules)


async def _look(pool: Pool, limits: RateLimiter, names: list[str], rules: list[Rule]) -> list[dict[str, object]]:
    """Read usage from Redis or Postgres, whichever knows of more calls; Postgres alone while Redis is away."""
    in_redis: list[Usage] = []
    try:
        in_redis = await limits.redis.peek(names, rules)
    except outages.ServerUnavailable as error:
        _warn(f"{error}\nThese are the numbers that Postgres has.")
    kept = await rate_limit_windows.find(pool, names, [rule.window for rule in rules])
    answer: list[dict[str, object]] = []
    for number, rule in enumerate(rules):
        pairs = [(kept[number].before, kept[number].wait)]
        pairs += [(each.before, each.wait) for each in in_redis[number : number + 1]]
        used, wait = max(pairs)
        facts = {"rule": rule.name, "used": used, "limit": rule.limit, "window": rule.window}
        answer.append(facts | {"reset": math.ceil(wait / 1_000_000)})
    return answer


async def _reset(arguments: argparse.Namespace, settings: Settings) -> object:
    """Reset windows; API processes learn of it from Postgres, whether or not Redis could be notified."""
    if not (arguments.email or arguments.user or arguments.ip):
        raise UsageError("whose windows? --email, --user or --ip")
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
    found: list[Window] = []
    if email := arguments.email:
        found += [Window(rule, counting.mailbox_key(email)) for rule in _declared(project, "email")]
        found += [counting.windows_of_devices(rule, email) for rule in _declared(project, "email")]
        found += mail_quotas.by_devices(project, email)
    if user := arguments.user:
        found += [Window(rule, user) for rule in _declared(project, "user")]
        found += [Window(rule, counting.guess_key(user, "")) for rule in _declared(project, "userId")]
        found += [Window(rule, user) for rule in counting.project_rules(project, [mail_quotas.BY_NEW_DEVICE])]
    if ip := arguments.ip:
        found += [
            window for rule in _declared(project, "ip", "network") for window in counting.windows_of_address(rule, ip)
        ]
    yield project.id, found
    yield mail_quotas.scope(project), mail_quotas.windows(project, email=email or "", ip=ip or "")


def _declared(project: Project, *by: str) -> list[Rule]:
    """List routes' rules with this key, with the project's own numbers."""
    declared = [limit.rule for route in app.routes() for limit in route.limits if limit.by in by]
    return counting.project_rules(project, dict.fromkeys(declared))


@asynccontextmanager
async def _limits(settings: Settings, pool: Pool) -> AsyncIterator[RateLimiter]:
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
