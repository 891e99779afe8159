"""docs/clients.md: which SDK method works. A walk compares its column; write_docs.py writes it."""

import os
import re
from collections.abc import Mapping

from testkit.processes import ROOT
from tests.sdk_compat import native
from tests.sdk_compat.sdks import SDKS, Sdk

PATH = ROOT / "docs" / "clients.md"
WRITING = "ACCOUNTS_WRITE_CLIENTS"
_ABSENT = "–"
Rows = dict[str, dict[str, str]]
# Service and era of the SDKs.
Tables = dict[tuple[str, bool], Rows]
_INTRODUCTION = """# SDK methods

The tests in `tests/sdk_compat` call every method of `Account` and `Users` of each official SDK against a
running service. The web SDKs have no `Users` and run in a real browser across two origins. A test compares the
results with this page; `python -m tests.sdk_compat.write_docs` writes it.

- `works`: the method does what the SDK's documentation says, or what the API document says if the two
  differ.
- `–`: the SDK has no such method.
- Otherwise: the status and the type of the error. `general_route_not_found` is the answer for features
  that this service doesn't have: push.

Accounts have no memberships of teams and no consents to other apps, so lists of them are empty and there is
none to delete. `get…RecoveryCodes` is 404 because only
[hashes](second-factors.md#factors) are kept. The Python SDKs spell the names with underscores.
`client.ping()` of today's web and node SDKs works, too.
"""
_TITLES = {
    ("account", False): "## SDKs of the API document",
    ("account", True): "## Today's SDKs",
    ("users", False): "## Users API by SDKs of the API document",
    ("users", True): "## Users API by today's SDKs",
}
_OF_USERS = """
A server with an API key of the scopes `users.read` and `users.write` calls these.
"""


def check(sdk: Sdk, service: str, outcomes: Mapping[str, str]) -> None:
    """The column of an SDK says what has just been seen; where the table is being made, it is made to."""
    tables = _read()
    rows = tables[service, sdk.modern]
    if os.environ.get(WRITING):
        for method in {*rows, *outcomes}:
            rows.setdefault(method, {})[sdk.name] = outcomes.get(method, _ABSENT)
        PATH.write_text(_write(tables))
        return
    told = {method: row[sdk.name] for method, row in rows.items() if row.get(sdk.name, _ABSENT) != _ABSENT}
    assert told == outcomes, "docs/clients.md is out of date: python -m tests.sdk_compat.write_docs"


def _read() -> Tables:
    tables: Tables = {place: {} for place in _TITLES}
    places = {title: place for place, title in _TITLES.items()}
    rows: Rows = {}
    names: list[str] = []
    for line in PATH.read_text().splitlines() if PATH.exists() else ():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if line == native.TITLE:
            break
        if line.startswith("## "):
            rows = tables[places[line]]
        elif line.startswith("| method"):
            names = cells[1:]
        elif re.match(r"\| `", line):
            rows[cells[0]] = dict(zip(names, cells[1:], strict=True))
    return tables


def _write(tables: Tables) -> str:
    parts = [_INTRODUCTION]
    for (service, modern), rows in tables.items():
        names = [sdk.name for sdk in SDKS if sdk.modern == modern and service in sdk.services]
        lines = [f"| method | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
        lines += [
            f"| `{method}` | {' | '.join(row.get(name, _ABSENT) for name in names)} |"
            for method, row in sorted(rows.items(), key=lambda item: (item[0].lower(), item[0]))
            if any(row.get(name, _ABSENT) != _ABSENT for name in names)
        ]
        prose = _OF_USERS if service == "users" else ""
        parts.append(f"\n{_TITLES[service, modern]}\n{prose}\n" + "\n".join(lines) + "\n")
    return "".join([*parts, native.tables()])
