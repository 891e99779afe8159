"""The tables of docs/, made from the code: what is said twice is written once."""

import inspect
import re
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

from babel import Locale
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from service import errors, i18n
from service.accounts import first_tab, mail_quotas, presented_invitations, sms_quotas, wrong_codes
from service.app import routes
from service.cli.projects import options as project_options
from service.errors import AccountError
from service.http import metrics as api_metrics
from service.http.routing import Limit, Route
from service.metrics import SHARED, Definition
from service.rate_limiter import DAY, HOUR, Only, Rule
from service.scopes import SCOPES
from service.settings import Settings
from service.store.event_catalogue import CATALOGUE
from service.template_overrides.values import DESCRIPTIONS, NOTICES, VALUES, purpose_of
from testkit.sources import ROOT
from tests.architecture.log_events import actions, log_events
from worker import metric_definitions as worker_metrics

DOCS = ROOT / "docs"
_COUNTED = {
    "ip": "client address", "network": "client address, known devices too", "email": "`email` of the body",
    "phone": "`phone` of the body",
    "userId": "`userId` of the body", "challengeId": "`challengeId` of the body", "user": "account",
    "project": "project",
}  # fmt: skip


def settings() -> list[tuple[str, ...]]:
    """One row a field of Settings, in their order."""
    rows = [(f"`{name.upper()}`", _default(field), field.description or "") for name, field in _fields()]
    return [("Variable", "Default", "Description"), *rows]


def _fields() -> list[tuple[str, FieldInfo]]:
    return list(Settings.model_fields.items())


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "*required*"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return f"`{value}`" if str(value) else "empty"


def error_classes() -> list[type[AccountError]]:
    return [
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, AccountError) and found is not AccountError
    ]


def errors_table() -> list[tuple[str, ...]]:
    """One row a class of service/errors.py, by status; the legacy era's columns say only what differs."""
    classes = sorted([AccountError, *error_classes()], key=lambda found: (found.status, found.__name__))
    rows = [
        (
            str(found.status),
            f"`{found.type}`",
            _sentence(found),
            str(found.legacy_status or ""),
            found.legacy_message or "",
            f"`{found.__name__}`",
        )
        for found in classes
    ]
    return [("Status", "Type", "Message", "Legacy status", "Legacy message", "Class"), *rows]


def _sentence(found: object) -> str:
    return " ".join((inspect.getdoc(found) or "").split("\n\n")[0].split())


def routes_table() -> list[tuple[str, ...]]:
    """One row a route, by path; its own first paragraph says what it does."""
    rows = [
        (
            f"`{route.method}`",
            " ".join(f"`{path}`" for path in route.paths),
            route.access,
            ", ".join(_limit(limit) for limit in route.limits),
            _sentence(route.handler),
        )
        for route in sorted(routes(), key=_place)
    ]
    return [("Method", "Path", "Who", "Limit", "Description"), *rows]


def _place(route: Route) -> tuple[str, str]:
    return route.paths[0], route.method


def _limit(limit: Limit) -> str:
    return f"{_number(limit.rule)} by {_COUNTED[limit.by]}"


def limits_table() -> list[tuple[str, ...]]:
    """One row a rule: those of the routes, by path, and those of mails. A page shares the rules of its API route."""
    limits = {limit.rule.name: limit for route in sorted(routes(), key=_place) for limit in route.limits}
    rows = [
        (
            f"`{limit.rule.name}`",
            _number(limit.rule),
            _COUNTED[limit.by],
            _staying(limit.only),
            "yes" if limit.by in ("ip", "network", "user") else "no",
        )
        for limit in limits.values()
    ]
    mails = [(f"`{rule.name}`", _number(rule), "see below", _staying("successes"), "no") for rule in mail_quotas.RULES]
    mails += [(f"`{rule.name}`", _number(rule), "see below", _staying("successes"), "no") for rule in sms_quotas.RULES]
    codes = [(f"`{rule.name}`", _number(rule), "see below", "those that fail", "no") for rule in wrong_codes.RULES]
    codes += [
        (f"`{rule.name}`", _number(rule), "see below", "unknown codes", "no") for rule in presented_invitations.RULES
    ]
    polls = [(f"`{rule.name}`", _number(rule), "see below", _staying(None), "no") for rule in first_tab.RULES]
    head = ("Rule", "Number", "Counted by", "Calls that stay counted", "Shown in headers")
    return [head, *rows, *mails, *codes, *polls]


def _number(rule: Rule) -> str:
    window = {60: "a minute", HOUR: "an hour", DAY: "a day"}.get(rule.window, f"{rule.window} s")
    return f"{rule.limit:,} {window}"


def _staying(only: Only) -> str:
    match only:
        case None:
            return "all"
        case "failures":
            return "those that fail"
        case "successes":
            return "those that succeed"
    return f"those that end with `{only.__name__}`"


def fault_tests() -> dict[str, list[str]]:
    """The tests named after each row of the matrix, as `file::name`."""
    found: dict[str, list[str]] = {}
    for path, name in _tests():
        if match := re.match(r"test_(f\d\d)_", name):
            found.setdefault(match[1].upper(), []).append(f"{path}::{name}")
    return found


def matrix() -> dict[str, dict[str, str]]:
    return tomllib.loads((ROOT / "tests" / "resilience" / "matrix.toml").read_text())


def reliability_table() -> list[tuple[str, ...]]:
    """One row a fault, with its tests."""
    tests = fault_tests()
    rows = [
        (
            row,
            entry["fault"],
            entry["promise"],
            "<br>".join([*(f"`{test}`" for test in tests.get(row, [])), *([entry["why"]] if "why" in entry else [])]),
        )
        for row, entry in matrix().items()
    ]
    return [("Row", "Fault", "Promise", "Tests, under tests/"), *rows]


def every_test() -> set[str]:
    """Every test, as `folder/file::name`."""
    return {f"{path}::{name}" for path, name in _tests()}


def _tests() -> list[tuple[Path, str]]:
    folder = ROOT / "tests"
    return [
        (path.relative_to(folder), name)
        for path in sorted(folder.rglob("test_*.py"))
        if "node_modules" not in path.parts
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    ]


def security_tests() -> dict[str, list[str]]:
    """The tests named after each row of the security matrix: test_s13_…, or test_s01_to_s09_… for several."""
    found: dict[str, list[str]] = {}
    for path, name in _tests():
        if match := re.match(r"test_s(\d{2,3})_(?:to_s(\d{2,3})_)?", name):
            for number in range(int(match[1]), int(match[2] or match[1]) + 1):
                found.setdefault(f"S{number:02}", []).append(f"{path}::{name}")
    return found


def security_matrix() -> dict[str, dict[str, Any]]:
    return tomllib.loads((ROOT / "tests" / "security" / "matrix.toml").read_text())


def security_table() -> list[tuple[str, ...]]:
    """One row an attack, with its tests and what is left of it."""
    named = security_tests()
    rows = [
        (
            row,
            entry["attack"],
            _sentences(entry["defence"], entry.get("but")),
            "<br>".join(f"`{test}`" for test in [*named.get(row, []), *entry.get("also", [])]),
        )
        for row, entry in security_matrix().items()
    ]
    return [("Row", "Attack", "Defence", "Tests, under tests/"), *rows]


def _sentences(defence: str, but: str | None) -> str:
    return f"{defence}. **But** {but}" if but else defence


def asvs() -> dict[str, dict[str, Any]]:
    return tomllib.loads((ROOT / "asvs.toml").read_text())


def asvs_list() -> dict[str, int]:
    """Every requirement of the standard and its level, in its order."""
    lines = (ROOT / "tests" / "security" / "data" / "asvs-5.0.0.txt").read_text().splitlines()
    return {number: int(level) for number, level in (line.split() for line in lines if not line.startswith("#"))}


def asvs_counts() -> list[tuple[str, ...]]:
    """Count of a level's requirements: shown by tests, shown but for a deviation, not met, not ours."""
    rows = []
    for level in (1, 2, 3):
        kinds = [_kind(entry) for entry in asvs().values() if entry["level"] == level]
        there = list(asvs_list().values()).count(level)
        rows.append((str(level), *(str(kinds.count(kind)) for kind in _KINDS), f"{len(kinds)} of {there}"))
    return [("Level", *_KINDS, "In the table"), *rows]


_KINDS = ("Shown by tests", "Shown, but", "Not met", "Not ours")


def _kind(entry: dict[str, Any]) -> str:
    match ("tests" in entry, "but" in entry, "outside" in entry):
        case _, _, True:
            return "Not ours"
        case True, but, _:
            return "Shown, but" if but else "Shown by tests"
    return "Not met"


def asvs_table() -> list[tuple[str, ...]]:
    """One row a requirement."""
    rows = [(number, str(entry["level"]), entry["what"], _shown(entry)) for number, entry in asvs().items()]
    return [("Requirement", "Level", "In our words", "Shown by, under tests/"), *rows]


def _shown(entry: dict[str, Any]) -> str:
    lines = [f"`{test}`" for test in entry.get("tests", [])]
    if "but" in entry:
        lines.append(f"**But** {entry['but']}")
    if "outside" in entry:
        lines.append(f"*Not ours:* {entry['outside']}")
    return "<br>".join(lines)


def log_events_table() -> list[tuple[str, ...]]:
    """One row an event, by id."""
    todo = actions()
    rows = [(f"`{found.event}`", found.level, found.message, todo[found.event]) for found in log_events()]
    return [("Event", "Level", "Message", "What an operator does"), *rows]


def project_options_table(group: str) -> list[tuple[str, ...]]:
    """One row an option of `projects set`."""
    rows = [
        (f"`{option.flag} {option.values}`", f"`{option.usual}`" if option.usual else "empty", option.text)
        for option in project_options.GROUPS[group]
    ]
    return [("Option", "New project", "Description"), *rows]


def scopes_table() -> list[tuple[str, ...]]:
    """One row a scope of keys, with its routes; those that only refuse are left out."""
    opened = [route for route in routes() if route.access in ("public", "key") and not route.contract.refuses]
    rows = [
        (
            f"`{scope}`",
            text,
            "<br>".join(
                f"`{route.method} {route.paths[0]}`" for route in sorted(opened, key=_place) if route.scope == scope
            ),
        )
        for scope, text in SCOPES.items()
    ]
    return [("Scope", "Lets a server", "Routes"), *rows]


def events_table() -> list[tuple[str, ...]]:
    """One row an event, as other systems get it."""
    return [("Type", "Meaning"), *((f"`{event}`", text) for event, text in CATALOGUE.items())]


def languages_table() -> list[tuple[str, ...]]:
    """One row a language of letters and pages, by code."""
    spoken = [Locale.parse(code, sep="-") for code in i18n.languages()]
    rows = [
        (f"`{code}`", str(locale.english_name), str(locale.display_name))
        for code, locale in zip(i18n.languages(), spoken, strict=True)
    ]
    return [("Code", "Language", "In the language itself"), *rows]


def template_values_table() -> list[tuple[str, ...]]:
    """One row a value of own templates."""
    rows = [
        (f"`{name}`", text, "all" if name in _OF_ALL else ", ".join(f"`{each}`" for each in sorted(_having(name))))
        for name, text in DESCRIPTIONS.items()
    ]
    return [("Value", "What it holds", "Letters"), *rows]


def template_letters_table() -> list[tuple[str, ...]]:
    """One row a letter that can have own templates, with the values that not all letters have."""
    rows = [
        (
            f"`{letter}`",
            ", ".join(f"`{name}`" for name in DESCRIPTIONS if name in values - _OF_ALL) or "none",
            f"`{purpose_of(letter)}`{' if there is one' * (letter in NOTICES)}" if purpose_of(letter) else "nothing",
        )
        for letter, values in VALUES.items()
    ]
    return [("Letter", "Values beside those of all letters", "Text and HTML have to show"), *rows]


_OF_ALL = frozenset.intersection(*VALUES.values())


def _having(name: str) -> list[str]:
    return [letter for letter, values in VALUES.items() if name in values]


def metrics_table(definitions: tuple[Definition, ...], *, own: bool = True) -> list[tuple[str, ...]]:
    """One row a metric, those of all processes only if it is not `own`."""
    rows = [
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.text)
        for each in definitions
        if not own or each not in SHARED
    ]
    return [("Name", "Type", "Labels", "Meaning"), *rows]


TABLES = {
    "metrics:shared": partial(metrics_table, SHARED, own=False),
    "metrics:api": partial(metrics_table, api_metrics.DEFINITIONS),
    "metrics:worker": partial(metrics_table, worker_metrics.DEFINITIONS),
    "settings": settings,
    "templates:values": template_values_table,
    "templates:letters": template_letters_table,
    "keys": scopes_table,
    "events": events_table,
    "letters:languages": languages_table,
    **{
        f"projects:{group.lower().replace(' ', '-')}": partial(project_options_table, group)
        for group in project_options.GROUPS
    },
    "errors": errors_table,
    "routes": routes_table,
    "limits": limits_table,
    "reliability": reliability_table,
    "security": security_table,
    "asvs:counts": asvs_counts,
    "asvs": asvs_table,
    "log-events": log_events_table,
}


def markdown(rows: list[tuple[str, ...]]) -> str:
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def written(name: str, text: str) -> str:
    """A page of docs/ with its table as it should be; the prose around it stays."""
    edges = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end of the table -->)", re.DOTALL)
    table = markdown(TABLES[name]())
    return edges.sub(lambda edge: f"{edge[1]}\n{table}\n\n{edge[2]}", text)


def page(name: str) -> Path:
    """A page may hold several tables: what stands behind a colon tells them apart."""
    return DOCS / f"{name.partition(':')[0]}.md"
