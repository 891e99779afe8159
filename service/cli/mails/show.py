"""Reading commands: a list of mails, one mail's history, the state of the outbox."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service import queue, redis_errors, relay_reports
from service.cli.commands import NotFound, database, find_project
from service.cli.mails import filters, lines
from service.cli.mails.output import CommandResult
from service.store import outbox_admin
from service.store.outbox_admin import Mail, MailEvent, MailSummary, OutcomeCount, ServerCount, StateCount

if TYPE_CHECKING:
    from service.settings import DatastoreSettings

_LATELY = 3600.0
# Events that end an attempt, for now or for good.
_TRIES = ("sent", "waits", "failed", "lost")
_ELSEWHERE = (*_TRIES, *lines.REPORTED)


async def list_mails(arguments: argparse.Namespace, settings: "DatastoreSettings") -> CommandResult:
    choice = filters.read(arguments)
    async with database(settings) as pool:
        if choice.project_id is not None:
            await find_project(pool, choice.project_id)
        found = await outbox_admin.page(pool, choice, after=arguments.after, most=arguments.limit)
    shown = [_listed(mail, full=arguments.recipients) for mail in found]
    more = [f"more: --after {found[-1].id}"] if len(found) == arguments.limit else []
    return CommandResult(shown, [*lines.table(shown), *more])


def _listed(mail: MailSummary, *, full: bool) -> dict[str, Any]:
    return _masked(asdict(mail), full=full) | {"last_fault": lines.fault(mail.stage, mail.last_fault, full=full)}


def _masked(facts: dict[str, Any], *, full: bool) -> dict[str, Any]:
    return facts if full else facts | {"recipient": outbox_admin.mask_address(facts["recipient"])}


async def show_mail(arguments: argparse.Namespace, settings: "DatastoreSettings") -> CommandResult:
    """Show one mail. Raises NotFound."""
    full = arguments.recipients
    async with database(settings) as pool:
        mail = await outbox_admin.find(pool, arguments.mail)
        if mail is None:
            raise NotFound(f"no mail {arguments.mail}")
        events = await outbox_admin.history(pool, mail)
    shown = _masked(asdict(mail), full=full) | {"last_fault": lines.fault("", mail.last_fault, full=full)}
    steps = [_step(event, full=full) for event in events]
    return CommandResult({**shown, "history": steps}, lines.history(shown, _with_end(mail, steps)))


def _step(event: MailEvent, *, full: bool) -> dict[str, Any]:
    return asdict(event) | {"fault": lines.fault(event.stage, event.fault, full=full)}


def _with_end(mail: Mail, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the end of a mail whose worker, of an earlier release, left no events: the row itself has it."""
    if mail.ended_at is None or any(step["name"] == mail.state for step in steps):
        return steps
    end = {"at": mail.ended_at, "name": mail.state, "attempt": mail.attempts, "worker": "", "server": ""}
    return [
        *steps,
        {**end, "stage": "", "code": mail.last_code, "fault": lines.fault("", mail.last_fault, full=False)},
    ]


async def show_status(arguments: argparse.Namespace, settings: "DatastoreSettings") -> CommandResult:
    project_id = arguments.project
    async with database(settings) as pool:
        if project_id is not None:
            await find_project(pool, project_id)
        states = await outbox_admin.count_states(pool, project_id=project_id)
        waiting = await outbox_admin.count_waiting(pool, project_id=project_id)
        outcomes = await outbox_admin.count_outcomes(pool, project_id=project_id, seconds=_LATELY)
        servers = await outbox_admin.count_by_server(pool, project_id=project_id, seconds=_LATELY)
    reports, unknown = await _reports(settings)
    status = {
        "states": {each.state: each.count for each in states},
        "estimated": [each.state for each in states if each.estimated],
        "oldest_pending_age": _oldest(states),
        "waiting": {each.cause or "untried": each.count for each in waiting},
        "last_hour": _lately(outcomes),
        "relays": list(_relays(servers, reports)),
        "unknown": unknown,
    }
    return CommandResult(status, lines.status(status))


async def _reports(settings: "DatastoreSettings") -> tuple[dict[str, dict[str, str]], str]:
    """Read the workers' reports of their relays, or the reason why there are none."""
    url = settings.redis_url.get_secret_value()
    redis = queue.connect(url)
    try:
        return await relay_reports.read(redis), ""
    except Exception as error:  # noqa: BLE001 - whatever the error of Redis, the facts of Postgres are shown
        return {}, redis_errors.explain(error, url)
    finally:
        await redis.aclose(close_connection_pool=True)


def _relays(servers: list[ServerCount], reports: dict[str, dict[str, str]]) -> Iterator[dict[str, Any]]:
    """List the relays of the workers, the preferred one first, then others that were used lately."""
    known = {each.server: each for each in servers}
    for server in dict.fromkeys((*(name for states in reports.values() for name in states), *known)):
        counts = asdict(known.get(server) or ServerCount(server, 0, 0, 0, None))
        yield counts | {"breakers": {worker: states[server] for worker, states in reports.items() if server in states}}


def _oldest(states: list[StateCount]) -> float | None:
    """Return the age of the oldest mail in seconds; None if nothing is to be sent."""
    ages = [each.oldest_age for each in states if each.oldest_age is not None]
    return round(max(ages), 1) if ages else None


def _lately(outcomes: list[OutcomeCount]) -> dict[str, Any]:
    counts = {each.name: each.count for each in outcomes}
    return {
        "tries": {name: counts.get(name, 0) for name in _TRIES},
        "without_a_try": {name: count for name, count in sorted(counts.items()) if name not in _ELSEWHERE},
        "reported": {name: count for name, count in sorted(counts.items()) if name in lines.REPORTED},
        "leases_lost": counts.get("lost", 0),
        "suspected_duplicates": sum(each.suspected for each in outcomes),
    }
