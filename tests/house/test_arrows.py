"""Who may import whom. The table is the design's; the test reads the imports and never the promises."""

import ast
import sys

import pytest

from tests.house.sources import modules

# Free to every noun. Everything else in service/*.py is a noun. Failpoints stand at every door, the nouns' and db's.
FOUNDATIONS = frozenset(
    {
        "addresses",
        "settings",
        "errors",
        "db",
        "deadlines",
        "ids",
        "keys",
        "journal",
        "heartbeat",
        "failpoints",
        "secrets",
        "endpoints",
        "outages",
        "redis_errors",
    }
)
# The command line introduces everybody to everybody.
ENTRIES = frozenset({"service.__main__", "worker.__main__", "worker.commands"})
# (who, must not import, why). Who is a module or a folder of them.
ARROWS = (
    ("service", "worker", "the service works without knowing who carries out what it asks"),
    ("worker", "service.api", "a worker answers no request"),
    ("worker", "service.local", "a worker runs where no local servers are"),
    ("service.api", "service.cli", "an answer to HTTP knows no command line"),
    ("service.api", "service.local", "production does not install the local servers"),
    ("service.local", "service.api", "the supervisor starts programs, it does not load them"),
    ("service.local", "worker", "the supervisor starts programs, it does not load them"),
)
# One home a package: where it may be imported, a module or a folder of them. A new dependency gets a line here.
HOMES: dict[str, tuple[str, ...]] = {
    "aiohappyeyeballs": ("worker.smtp",),
    "aiohttp": ("service.api", "service.local", "worker.smtp.oauth"),
    "aiosmtpd": ("service.local",),
    "aiosmtplib": ("worker.smtp",),
    "argon2": ("service.passwords",),
    "arq": ("service.jobs", "worker"),
    "asyncpg": ("service.db",),
    "babel": ("service.countries", "service.language"),
    "bcrypt": ("service.passwords",),
    "email_validator": ("service.addresses",),
    "iptocc": ("service.countries",),
    "jinja2": ("worker.letters", "service.api.pages", "service.api.docs_page"),
    "jwt": ("service.jwts", "worker.smtp.grants"),
    "markupsafe": ("worker.letters", "service.api.pages", "service.api.docs_page"),
    "orjson": ("service", "worker"),
    "publicsuffixlist": ("service.api.cookies",),
    "pydantic": ("service.settings", "service.api"),
    "pydantic_core": ("service.api.fields",),
    "pydantic_settings": ("service.settings",),
    "redis": ("service.limits", "service.jobs", "service.redis_errors"),
    "ua_parser": ("service.devices",),
    "uuid_utils": ("service.ids",),
    "uvloop": ("service.__main__", "worker.commands"),
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
    """What a module imports and must not."""
    return [
        f"{module} imports {name}: {why}"
        for name in sorted(imports(tree))
        for why in (_relative(name), _arrow(module, name), _stranger(module, name), _homeless(module, name))
        if why
    ]


def _relative(name: str) -> str:
    return "relative imports hide where a name is from" if name == "." else ""


def _arrow(module: str, name: str) -> str:
    if module in ENTRIES:
        return ""
    return next((why for who, whom, why in ARROWS if _within(module, who) and _within(name, whom)), "")


def _stranger(module: str, name: str) -> str:
    """Nouns know the foundations and nothing else of ours, least of all how they are asked."""
    noun, target = _room(module), _room(name)
    if module in ENTRIES or noun in ("", "api", "cli", "local") or target in ("", noun, *FOUNDATIONS):
        return ""
    return f"{noun} knows only the foundations; a handler or a job introduces it to {target}"


def _room(name: str) -> str:
    """`tokens` for service.tokens and for service.tokens.Kind, `api` for all of service/api."""
    package, _, rest = name.partition(".")
    return rest.partition(".")[0] if package == "service" else ""


def _homeless(module: str, name: str) -> str:
    package = name.partition(".")[0]
    if package in sys.stdlib_module_names or package in ("service", "worker"):
        return ""
    homes = HOMES.get(package)
    if homes is None:
        return "it has no home in the table of this test"
    return "" if any(_within(module, home) for home in homes) else f"its home is {', '.join(homes)}"


def _within(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder + ".")


def test_every_import_follows_an_arrow():
    """The service never imports the worker, nouns know neither each other nor HTTP, each package has one home."""
    found = [line for module, tree in modules("service", "worker").items() for line in breaches(module, tree)]
    assert not found, "\n".join(found)


def test_the_table_has_no_empty_rooms():
    """A package that nobody imports any more leaves the table, so that the table can be believed."""
    used = {name.partition(".")[0] for tree in modules("service", "worker").values() for name in imports(tree)}
    assert not HOMES.keys() - used


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("service.tokens", "from service import users"),
        ("service.tokens", "from service.users import User"),
        ("service.links", "import service.redirects"),
        ("service.tokens", "from service.api import answers"),
        ("service.tokens", "from service import local"),
        ("service.db", "from service.limits import Limits"),
        ("service.jobs", "import worker.mail"),
        ("service.api.recovery", "from worker import letters"),
        ("worker.mail", "from service.api import answers"),
        ("worker.mail", "def f():\n    import service.local.servers"),
        ("service.api.app", "from service.local import mailbox"),
        ("service.users", "import asyncpg"),
        ("worker.mail", "from aiosmtplib import SMTP"),
        ("service.limits", "import aiohttp.web"),
        ("service.api.recovery", "import jwt"),
        ("worker.sweep", "if TYPE_CHECKING:\n    from redis.asyncio import Redis"),
        ("service.users", "import never_heard_of"),
        ("service.users", "from . import db"),
    ],
)
def test_a_planted_breach_is_found(module: str, source: str):
    """The checker sees what it is there to see, also inside functions and TYPE_CHECKING."""
    assert breaches(module, ast.parse(source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("service.tokens", "from service import ids, keys\nfrom service.db import Queries"),
        ("service.api.recovery", "from service import tokens, users\nfrom aiohttp import web"),
        ("worker.mail", "from service import tokens\nfrom worker import letters"),
        ("worker.bell", "from arq.worker import Worker"),
    ],
)
def test_what_is_allowed_is_left_alone(module: str, source: str):
    """A checker that refuses everything would pass the test above too."""
    assert not breaches(module, ast.parse(source))
