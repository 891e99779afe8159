"""The arrows between folders, read from the imports themselves."""

import ast
import sys
from collections.abc import Mapping

import pytest

from testkit.sources import modules

_PRODUCT = ("service", "worker", "devstack")
_FOLDERS = (*_PRODUCT, "release", "testkit", "bench", "tests")
# The layers of the service, the lowest first: each knows those before it, and none after it.
LAYERS = (
    ("service.accent_colors", "service.cancellation", "service.settings", "service.errors", "service.ids",
     "service.deadlines", "service.ecs_logging", "service.email_addresses", "service.phone_numbers",
     "service.committed", "service.endpoints", "service.failpoints", "service.heartbeat", "service.i18n",
     "service.json_logging", "service.event_loop_monitor", "service.log_records", "service.outages",
     "service.outbound_addresses", "service.outbound_urls", "service.process_supervisor", "service.project_files",
     "service.redis_errors", "service.redis_exchange", "service.redis_patience", "service.redis_sentinel",
     "service.relay_reports", "service.request_errors", "service.response_bodies", "service.scopes",
     "service.sentinel_url", "service.setting_formats", "service.smtp_deadlines", "service.supervision",
     "service.text_logging", "service.trace_exporter", "service.tracing", "service.usable_cores", "service.version",
     "service.webhook_urls"),
    ("service.crypto", "service.db", "service.rate_limiter", "service.queue", "service.clientinfo", "service.links",
     "service.template_overrides", "service.identity_providers"),
    ("service.store", "service.database_health", "service.database_engine", "service.metrics"),
    ("service.http",),
    ("service.accounts",),
    ("service.api",),
    ("service.app", "service.listening", "service.server"),
    ("service.cli",),
)  # fmt: skip
# The command line introduces everybody to everybody.
ENTRIES = frozenset({"service.__main__", "worker.__main__", "worker.commands"})
# (who, must not import, why). Who is a module or a folder of them.
ARROWS = (
    ("service", "worker", "the service works without knowing how a worker carries out its jobs"),
    ("worker", "service.api", "a worker answers no request"),
    ("worker", "service.http", "a worker answers no request"),
    ("worker", "service.cli", "a worker is no command line"),
    ("service", "devstack", "production does not install the local servers"),
    ("worker", "devstack", "production does not install the local servers"),
    ("devstack", "service.api", "the supervisor starts programs, it does not load them"),
    ("devstack", "worker", "the supervisor starts programs, it does not load them"),
    ("worker.relays", "worker.mail", "a relay is given bytes"),
    ("worker.mail", "worker.relays", "a letter is written without knowing how it travels"),
    ("service", "testkit", "the test kit is for tests, the bench and figures"),
    ("worker", "testkit", "the test kit is for tests, the bench and figures"),
    ("testkit", "tests", "what tests share knows none of them"),
    ("testkit", "bench", "what the bench shares knows nothing of it"),
    ("bench", "tests", "a figure is measured with the test kit, not with tests"),
    ("release", "service", "it runs the service of the commit that it releases"),
)
# One home a package: where it may be imported, a module or a folder of them. A new dependency gets a line here.
HOMES: dict[str, tuple[str, ...]] = {
    "aiohappyeyeballs": ("worker.relays.smtp",),
    "aiohttp": (
        "service.request_errors",
        "service.response_bodies",
        "service.http",
        "service.api",
        "service.accounts",
        "service.app",
        "service.listening",
        "service.server",
        "service.metrics",
        "service.identity_providers",
        "service.cli.appwrite.server_api",
        "devstack",
        "worker.request_progress",
        "worker.relays.smtp.oauth",
        "worker.sms.webhook",
        "worker.relays.http.transport",
        "worker.webhooks.client",
        "worker.health",
        "worker.listening",
        "worker.bounces.webhooks.port",
        "worker.bounces.webhooks.sns",
    ),
    "aiosmtpd": ("devstack", "worker.bounces.lmtp"),
    "aiosmtplib": ("worker.relays.smtp",),
    "argon2": ("service.crypto.password_hashing",),
    "arq": ("service.queue", "worker"),
    "asyncpg": ("service.db",),
    "babel": ("service.clientinfo.countries", "service.i18n", "worker.mail.dates"),
    "bcrypt": ("service.crypto.password_hashing",),
    "cbor2": ("service.crypto.passkey_ceremonies",),
    "cryptography": (
        "service.crypto.sealing",
        "service.crypto.passkey_ceremonies",
        "service.crypto.weak_hashes",
        "service.crypto.appwrite_hashes",
        "service.crypto.dkim_keys",
        "service.crypto.log_checkpoints",
        "devstack.identity_provider",
        "worker.bounces.webhooks",
    ),
    "css_inline": ("worker.mail.stylesheet",),
    "dns": ("service.cli.doctor.dns_lookups",),
    "email_validator": ("service.email_addresses",),
    "flufl": ("worker.bounces.bounce_mail",),
    "iptocc": ("service.clientinfo.countries",),
    "jinja2": (
        "worker.mail",
        "worker.sms.text",
        "service.http.html_pages",
        "service.http.docs",
        "service.template_overrides",
    ),
    "jwt": (
        "service.crypto.jwts",
        "service.identity_providers",
        "worker.relays.smtp.oauth_grants",
        "devstack.identity_provider",
    ),
    "markdown_it": ("service.http.docs.articles",),
    "markupsafe": ("worker.mail", "service.http.html_pages", "service.http.docs", "service.template_overrides"),
    "opentelemetry": ("service.tracing",),
    "orjson": ("service", "worker"),
    "prometheus_client": ("service.metrics", "service.http.metrics", "service.http.auth_metrics", "worker"),
    "publicsuffixlist": ("service.http.session_cookies", "service.cli.projects.values", "service.cli.doctor.dmarc"),
    "pydantic": ("service.settings", "service.http", "service.api", "service.accounts"),
    "pydantic_core": ("service.http.fields",),
    "pydantic_settings": ("service.settings",),
    "redis": (
        "service.rate_limiter",
        "service.queue",
        "service.redis_errors",
        "service.redis_exchange",
        "service.redis_sentinel",
    ),
    "ua_parser": ("service.clientinfo.user_agents", "service.clientinfo.user_agent_rules"),
    "uuid_utils": ("service.ids",),
    "uvloop": ("service.__main__", "service.cli.serve_processes", "worker.commands"),
    "webauthn": ("service.crypto.passkey_ceremonies",),
}


def imports(tree: ast.Module) -> set[str]:
    """Dotted names that a module imports, wherever in it; `from a import b` counts as a.b."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" if not node.level else "." for name in node.names}
    return found


def breaches(module: str, tree: ast.Module) -> list[str]:
    """Imports that a module must not have."""
    return [
        f"{module} imports {name}: {why}"
        for name in sorted(imports(tree))
        for why in (_relative(name), _arrow(module, name), _upward(module, name), _homeless(module, name))
        if why
    ]


def _relative(name: str) -> str:
    return "relative imports hide where a name is from" if name == "." else ""


def _arrow(module: str, name: str) -> str:
    if module in ENTRIES:
        return ""
    return next((why for who, whom, why in ARROWS if _within(module, who) and _within(name, whom)), "")


def _upward(module: str, name: str) -> str:
    here, there = _layer(module), _layer(name)
    if module in ENTRIES or here is None or there is None or there <= here:
        return ""
    return f"it stands in a higher layer ({', '.join(LAYERS[there])})"


def _layer(name: str) -> int | None:
    return next((number for number, rooms in enumerate(LAYERS) for room in rooms if _within(name, room)), None)


def _homeless(module: str, name: str) -> str:
    package = name.partition(".")[0]
    if package in sys.stdlib_module_names or package in _PRODUCT:
        return ""
    homes = HOMES.get(package)
    if homes is None:
        return "it has no home in the table of this test"
    return "" if any(_within(module, home) for home in homes) else f"its home is {', '.join(homes)}"


def _within(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder + ".")


def test_every_import_follows_an_arrow():
    """No module imports one of a higher layer, the service never imports the worker, each package has one home."""
    found = [line for module, tree in modules(*_PRODUCT).items() for line in breaches(module, tree)]
    assert not found, "\n".join(found)


def test_the_kit_and_the_bench_import_no_tests():
    """Code that tests, bench and figures share stands in testkit/."""
    found = [
        f"{module} imports {name}: {why}"
        for module, tree in modules("testkit", "bench").items()
        for name in sorted(imports(tree))
        if (why := _arrow(module, name))
    ]
    assert not found, "\n".join(found)


def enqueued_by_hand(tree: ast.Module) -> list[str]:
    """Mentions of the job queue in code that is to leave jobs to the unit of work."""
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if call.endswith("queue.enqueue")] + [
        name
        for name in imports(tree)
        if name in {"service.db.transaction", "service.queue.SEND_MAIL", "service.queue.RECORD_LOG"}
    ]


def test_jobs_are_enqueued_by_the_unit_of_work():
    """A handler or a use case opens no bare transaction and names no job, so it can neither forget nor misplace one."""
    found = {module: enqueued_by_hand(tree) for module, tree in modules("service/api", "service/accounts").items()}
    assert not {module: lines for module, lines in found.items() if lines}
    assert len(found) > 20


@pytest.mark.parametrize(
    "source",
    [
        "async def f(ctx, mail):\n    await ctx.services.job_queue.enqueue('send_mail', mail)",
        "async def f(queue, mail):\n    await queue.enqueue('send_mail', mail)",
        "from service.db import Connection, transaction",
        "from service.queue import RECORD_LOG",
    ],
)
def test_a_job_enqueued_by_hand_is_found(source: str):
    """The checker sees what it is there to see."""
    assert enqueued_by_hand(ast.parse(source))


def test_every_module_of_the_service_has_a_layer():
    """A new module or folder is put into a layer first."""
    assert [name for name in modules("service") if name not in {"service", *ENTRIES} and _layer(name) is None] == []


def test_no_two_folders_import_each_other():
    """No two folders import each other, not by way of others either, tests included."""
    names = modules(*_FOLDERS)
    edges: dict[str, set[str]] = {}
    for module, tree in names.items():
        for name in imports(tree):
            known = next((part for part in _prefixes(name) if part in names), None)
            if known and module not in ENTRIES and _folder(known) != _folder(module):
                edges.setdefault(_folder(module), set()).add(_folder(known))
    assert not [f"{one} and {two}" for one in edges for two in edges[one] if one in _reachable(edges, two)]


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _folder(module: str) -> str:
    """A module at the top of a program's folder stands for itself."""
    return ".".join(module.split(".")[:2])


def _reachable(edges: Mapping[str, set[str]], start: str) -> set[str]:
    found, ahead = set(), [start]
    while ahead:
        ahead += (fresh := edges.get(ahead.pop(), set()) - found)
        found |= fresh
    return found


def test_the_table_has_no_empty_rooms():
    """A package that nobody imports any more leaves the table, so that the table can be believed."""
    used = {name.partition(".")[0] for tree in modules(*_PRODUCT).values() for name in imports(tree)}
    assert not HOMES.keys() - used


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("service.store.tokens", "from service.http import context"),
        ("service.store.tokens", "from service.http.context import Call"),
        ("service.store.tokens", "from service.api import recovery"),
        ("service.http.middleware", "from service.accounts import user_admin"),
        ("service.accounts.user_admin", "import service.api.users"),
        ("service.db", "from service.store import users"),
        ("service.ids", "from service.db import Pool"),
        ("service.queue", "import worker.delivery"),
        ("service.api.recovery", "from worker.mail import templates"),
        ("worker.delivery", "from service.api import users"),
        ("worker.delivery", "def f():\n    import devstack.servers"),
        ("worker.mail.mime", "from worker.relays import Server"),
        ("service.app", "from devstack import mailbox"),
        ("service.store.users", "import asyncpg"),
        ("worker.delivery", "from aiosmtplib import SMTP"),
        ("service.rate_limiter", "import aiohttp.web"),
        ("service.api.recovery", "import jwt"),
        ("worker.poller", "if TYPE_CHECKING:\n    from redis.asyncio import Redis"),
        ("service.store.users", "import never_heard_of"),
        ("service.store.users", "from . import db"),
    ],
)
def test_a_planted_breach_is_found(module: str, source: str):
    """The checker sees what it is there to see, also inside functions and TYPE_CHECKING."""
    assert breaches(module, ast.parse(source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "service.store.tokens",
            "from service import ids\nfrom service.crypto import key_derivation\nfrom service.db import Queries",
        ),
        ("service.store.sessions", "from service.store.users import User"),
        ("service.api.recovery", "from service.store import tokens, users\nfrom aiohttp import web"),
        ("worker.delivery", "from service.store import tokens\nfrom worker.mail import templates"),
        ("worker.queue_consumer", "from arq.worker import Worker"),
    ],
)
def test_what_is_allowed_is_left_alone(module: str, source: str):
    """A checker that refuses everything would pass the test above too."""
    assert not breaches(module, ast.parse(source))
