"""Checks of a setup before it goes live: settings, Postgres, Redis, relays, and the client address behind proxies."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, urlsplit

from service import database_health, db
from service.cli import secret_keys
from service.cli.commands import CheckFailed, database
from service.cli.doctor import mail_checks
from service.cli.doctor.mail_checks import Senders
from service.cli.findings import Finding, listing
from service.cli.tables import Listing
from service.store import dkim_keys, log_checkpoints, migrations, project_relays, projects, webhooks

if TYPE_CHECKING:
    from service.settings import Settings
    from service.store.dkim_keys import DkimKey

Answer = TypeVar("Answer")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OLDEST_POSTGRES = 15
_RELAYS = ("smtp", "smtps", "ses", "mailgun", "postmark", "resend")
# Seconds: one check, and the difference allowed between two clocks (docs/reliability.md F61).
_PATIENCE, _APART = 5.0, 2.0
# Seconds for which a checkpoint may be due: workers look each hour.
_UNSIGNED = 7200


async def run(arguments: argparse.Namespace, settings: "Settings") -> object:
    if arguments.mail:
        return _answer(await _sender(arguments, settings))
    found = [*_settings(settings), *await _postgres(settings), *await _redis(settings)]
    if settings.smtp_url.get_secret_value():
        found += await _mail(arguments, settings)
    found += await _ask(settings, lambda pool: secret_keys.check(pool, settings)) or []
    found += await _sms(arguments, settings)
    found += await _webhooks(settings)
    found += await _security_log(settings)
    found += await mail_checks.try_own_relays(arguments, settings, await _ask(settings, project_relays.list_all) or [])
    if arguments.through:
        found += await asyncio.to_thread(_proxies, arguments.through, settings)
    return _answer(found)


def _answer(found: list[Finding]) -> Listing:
    """Return the findings. Raises CheckFailed if one of them is `fail`."""
    answer = listing(found)
    if any(finding.state == "fail" for finding in found):
        raise CheckFailed(answer)
    return answer


def _proxies(url: str, settings: "Settings") -> list[Finding]:
    from service.cli.doctor import proxy_check  # noqa: PLC0415 - it imports the web stack

    return proxy_check.check(url, settings)


def _settings(settings: "Settings") -> list[Finding]:
    """Check what needs no connection."""
    public, relays = urlsplit(settings.public_url), _relays(settings)
    checks = (
        ("PUBLIC_URL", public.scheme == "https" or public.hostname in _LOOPBACK,
         "is not https: cookies and links go over the wire in the clear"),
        ("MAIL_FROM", not settings.mail_from.endswith("@localhost"), "is no real address: relays will refuse it"),
        ("LIMITS", settings.limits == "on", "is not on: a client may guess without end"),
        ("SMTP_URL", bool(relays) and all(map(_is_relay, relays)), "names no relay: workers won't start"),
        ("SMTP_URL", all("tls=none" not in each.query or each.hostname in _LOOPBACK for each in relays),
         "has tls=none: mails with secrets go over the wire in the clear"),
    )  # fmt: skip
    faults = [Finding(name, "warn", fault) for name, fine, fault in checks if not fine]
    return faults or [Finding("settings", "ok", "fit for the world")]


def _relays(settings: "Settings") -> list[SplitResult]:
    """Split each URL of SMTP_URL; none where one can't be read, as trying the relays then tells."""
    try:
        return [urlsplit(url) for url in settings.smtp_url.get_secret_value().split()]
    except ValueError:
        return []


def _is_relay(url: SplitResult) -> bool:
    return url.scheme.partition("+")[0] in _RELAYS and bool(url.hostname)


async def _postgres(settings: "Settings") -> list[Finding]:
    try:
        async with asyncio.timeout(_PATIENCE), database(settings) as pool:
            engine = await database_health.find_engine(pool)
            if engine.fault:
                return [Finding("postgres", "fail", engine.fault)]
            sent = time.time()
            found = await database_health.find_server_state(pool)
            received = time.time()
            version = await database_health.newest_migration(pool) if found and found.has_ledger else 0
            closed = await database_health.find_closed_tables(pool) if version else []
            alike = await projects.alike(pool) if version else []
            dropped = await database_health.find_dropped_settings(pool)
    except Exception as error:  # noqa: BLE001 - any error is the finding
        return [Finding("postgres", "fail", db.explain(error, settings.database_url.get_secret_value()))]
    if found is None:
        return [Finding("postgres", "fail", "does not answer")]
    due, apart = migrations.load()[-1].version, found.clock - (sent + received) / 2
    checks = (
        (found.release >= _OLDEST_POSTGRES, f"is release {found.release}: {_OLDEST_POSTGRES} or newer is needed"),
        (version == due, f"has schema {version}, this code needs {due}: run `python -m service migrate`"),
        (abs(apart) - (received - sent) <= _APART, f"its clock is {apart:+.1f} s from this machine's"),
        (not closed, f"does not let this role read and change {_few(closed)}: docs/operations.md has the grants"),
    )
    faults = [Finding("postgres", "fail", fault) for fine, fault in checks if not fine]
    release = f"release {found.release}" if engine.name == "Postgres" else f"{engine.name}, release {found.release}"
    sound = Finding("postgres", "ok", f"{release}, schema {version}, may be written")
    message = "have one cookie: who signs in to one is signed out of the other"
    if engine.name == "Citus":
        faults.append(Finding("postgres", "warn", "is Citus, on which not all of this service runs: docs/scale.md"))
    found_alike = [Finding("projects", "warn", f"{', '.join(each.ids)} {message}") for each in alike]
    return [*(faults or [sound]), *_session(dropped), *found_alike]


def _few(names: list[str]) -> str:
    """Name the first ones, and how many others there are."""
    rest = len(names) - 3
    return ", ".join(names[:3]) + (f" and {rest} other{'s' if rest > 1 else ''}" if rest > 0 else "")


def _session(dropped: list[str]) -> list[Finding]:
    """Report the deadlines that a pooler drops, with the statements that give them to the role."""
    message = "is behind a pooler that drops the deadlines of statements; for each role of the service run: "
    return [Finding("postgres", "warn", f"{message}{'; '.join(dropped)};")] if dropped else []


async def _redis(settings: "Settings") -> list[Finding]:
    from service import queue, redis_errors  # noqa: PLC0415 - the parser needs neither

    redis = queue.connect(settings.redis_url.get_secret_value())
    try:
        async with asyncio.timeout(_PATIENCE):
            memory, server = await redis.info("memory"), await redis.info("server")
            await queue.probe(redis)
    except Exception as error:  # noqa: BLE001 - any error is the finding
        return [Finding("redis", "fail", redis_errors.explain(error, settings.redis_url.get_secret_value()))]
    finally:
        await redis.aclose(close_connection_pool=True)
    policy, most = memory.get("maxmemory_policy", ""), int(memory.get("maxmemory", 0))
    if policy not in ("noeviction", ""):
        message = f"throws keys away ({policy}): windows of limits would be forgotten; set maxmemory-policy noeviction"
        return [Finding("redis", "fail" if most else "warn", message)]
    return [Finding("redis", "ok", f"release {server.get('redis_version', '?')}, keeps its keys")]


async def _mail(arguments: argparse.Namespace, settings: "Settings") -> list[Finding]:
    """Check the relays, which only workers need to reach, and the senders of all projects."""
    steps = await mail_checks.try_relays(arguments, settings)
    return [*mail_checks.of_steps(steps), *await mail_checks.check_names(arguments, settings, await _senders(settings))]


async def _sender(arguments: argparse.Namespace, settings: "Settings") -> list[Finding]:
    """Check one domain that letters come from, or will."""
    return await mail_checks.check_domain(
        arguments, settings, arguments.mail, (await _senders(settings)).get(arguments.mail, ())
    )


async def _ask(settings: "Settings", query: Callable[[db.Pool], Awaitable[Answer]]) -> Answer | None:
    """Ask Postgres; None where it is away or not migrated, which is a finding already."""
    try:
        async with asyncio.timeout(_PATIENCE), database(settings) as pool:
            return await query(pool)
    except Exception:  # noqa: BLE001 - see above
        return None


async def _sms(arguments: argparse.Namespace, settings: "Settings") -> list[Finding]:
    """Check the webhook for SMS, and whether projects need one."""
    step = await arguments.try_webhook(settings)
    if step is not None:
        return [Finding("sms", step.state, f"{step.relay} {step.step}: {step.message}")]
    lacking = [project.id for project in await _ask(settings, projects.list_all) or [] if project.sms_countries]
    text = "has --sms-countries, and SMS_URL is empty: codes by SMS are refused"
    return [Finding("sms", "warn", f"{', '.join(lacking[:3])} {text}")] if lacking else []


async def _webhooks(settings: "Settings") -> list[Finding]:
    """Report webhooks of projects that fail, or that were disabled and not by an operator."""
    texts = {"failing": "fails: `webhooks deliveries` says how", "disabled": "is disabled: {}"}
    return [
        Finding("webhooks", "warn", f"{each.id} of {each.project_id} {texts[each.state].format(each.reason)}")
        for each in await _ask(settings, webhooks.list_states) or []
        if each.state in texts and each.reason != webhooks.BY_OPERATOR
    ]


async def _security_log(settings: "Settings") -> list[Finding]:
    """Report a checkpoint of the security log that no worker has signed in time."""
    overdue = await _ask(settings, log_checkpoints.overdue) or 0.0
    text = f"a checkpoint has been due for {overdue / 3600:.0f} hours: workers sign each hour, their log says why not"
    return [Finding("log", "warn", text)] if overdue > _UNSIGNED else []


async def _senders(settings: "Settings") -> Senders:
    """Find the domains that letters come from, at least MAIL_FROM's."""
    found: dict[str, list[DkimKey]] = {domain_of(settings.mail_from): []}
    keys, known = await asyncio.gather(_ask(settings, dkim_keys.list_signing), _ask(settings, projects.list_all))
    for project in known or []:
        domain = domain_of(project.sender_address or settings.mail_from)
        found.setdefault(domain, []).extend(key for key in keys or [] if key.project_id == project.id)
    return found


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()
