"""Tables of an Appwrite database, which are named after the number of their project: `_1_users`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from service.cli.appwrite import sql_dump
from service.cli.commands import UsageError

USERS, PROJECTS = "users", "projects"
_TABLE = re.compile(r"_(?P<project>.+)_(?P<kind>users|identities|authenticators|targets)")
_OF_PROJECTS = "_console_projects"
_SUFFIXES = ("_users", "_identities", "_authenticators", "_targets", _OF_PROJECTS)
# Columns that are called otherwise in the API.
_COLUMNS = {"_uid": "$id", "_createdAt": "$createdAt"}
_KEPT = {
    USERS: frozenset({
        "$id", "$createdAt", "name", "email", "phone", "status", "labels", "password", "hash", "hashOptions",
        "passwordUpdate", "prefs", "registration", "emailVerification", "phoneVerification", "mfa", "mfaRecoveryCodes",
        "targets", "identities", "authenticators",
    }),
    "identities": frozenset({"provider", "providerUid", "providerEmail"}),
    "authenticators": frozenset({"type", "verified", "data"}),
    "targets": frozenset({"$id", "providerType", "providerId", "identifier", "name"}),
    PROJECTS: frozenset[str](),
}  # fmt: skip
# Columns of JSON, which a dump has as text.
_JSON = ("labels", "prefs", "hashOptions", "targets", "mfaRecoveryCodes", "identities", "authenticators")
_SEALED = {USERS: "password", "authenticators": "data"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of one of the tables; `user` is the id of the user that it belongs to, of a project its own id.

    `sealed` is the text that Appwrite has encrypted.
    """

    project: str
    kind: str
    user: str
    number: int
    sealed: str | None = field(repr=False)
    body: bytes = field(repr=False)


def entries(path: str) -> Iterator[Entry]:
    """Read the rows of all projects. Raises UsageError."""
    for row in sql_dump.rows(path, _SUFFIXES):
        values, number = row.values, row.values.get("_id")
        if row.table == _OF_PROJECTS:
            yield Entry(str(number), PROJECTS, str(values.get("_uid")), 0, None, b"{}")
        elif found := _TABLE.fullmatch(row.table):
            if "_tenant" in values:
                raise UsageError(f"{path}: line {row.line}: tables that projects share are not read: use --endpoint")
            if not isinstance(number, int):
                raise UsageError(f"{path}: line {row.line}: {row.table} has no _id: it is no table of Appwrite")
            try:
                yield entry(found["project"], found["kind"], number, values)
            except ValueError:
                raise UsageError(f"{path}: line {row.line}: a column of {row.table} is no JSON") from None


def entry(project: str, kind: str, number: int, row: Mapping[str, Any]) -> Entry:
    """Keep what is needed of a row, in the API's names. Raises ValueError for JSON that is none."""
    named = {_COLUMNS.get(name, name): value for name, value in row.items()}
    kept = {name: value for name, value in named.items() if name in _KEPT[kind]}
    for name in _JSON if kind == USERS else ():
        if isinstance(kept.get(name), str):
            kept[name] = orjson.loads(kept[name]) if kept[name] else None
    if kind == USERS:
        # Tables of their own have these; the columns of these names are empty.
        kept = {name: value for name, value in kept.items() if value is not None}
    sealed = kept.get(_SEALED.get(kind, ""))
    user = named.get("$id") if kind == USERS else named.get("userId")
    shown = sealed if isinstance(sealed, str) and sealed.startswith("{") else None
    return Entry(project, kind, str(user), number, shown, orjson.dumps(kept))


def choose(path: str, wanted: str | None, found: list[str], known: dict[str, str]) -> str:
    """Return the number of the project whose users are wanted, by its id if the dump has it. Raises UsageError."""
    ids = {number: id_ for id_, number in known.items()}
    listed = ", ".join(sorted(ids.get(each, each) for each in found))
    if not found:
        raise UsageError(f"{path} has no users: dump the database of Appwrite, with its table _1_users")
    if wanted is None and len(found) > 1:
        raise UsageError(f"{path} has users of several projects: name one by --source-project: {listed}")
    number = found[0] if wanted is None else known.get(wanted, wanted)
    if number not in found and not known and len(found) == 1:
        return found[0]  # tables of one project alone were dumped, and nothing tells its id
    if number not in found:
        raise UsageError(f"{path} has no users of that project, but of: {listed}")
    return number
