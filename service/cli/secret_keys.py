"""Keys of SECRET_KEYS: which of them the database still needs, and encrypting all of it under the first."""

import argparse
from typing import TYPE_CHECKING, Any

from service.cli.command_table import COMMANDS
from service.cli.commands import CheckFailed, PartialFailure, add_command, add_group, database
from service.cli.findings import Finding
from service.cli.tables import Listing
from service.crypto import key_derivation
from service.db import Executor
from service.store import sealed_rows

if TYPE_CHECKING:
    from service.settings import Settings

_STATUS = "which of SECRET_KEYS rows are encrypted under; code 7 if one of those keys is missing"
_RESEAL = "encrypt all such rows under the first key at once; workers do it within an hour"


def add(verbs: Any) -> None:
    words = add_group(verbs, "secret-keys", COMMANDS["secret-keys"].text)
    add_command(words, "status", _status, _STATUS)
    add_command(words, "reseal", _reseal, _RESEAL)


async def _status(_arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        found = await sealed_rows.count(pool)
    rows = [
        {"purpose": each.purpose, "key": each.kid, "rows": each.rows, "state": _state(settings, each.kid)}
        for each in found
    ]
    answer = Listing(rows, ("purpose", "key", "rows", "state"))
    if any(row["state"] == "missing" for row in rows):
        raise CheckFailed(answer)
    return answer


async def check(conn: Executor, settings: "Settings") -> list[Finding]:
    """Look whether all rows can be opened: without one of their keys no process starts."""
    ring = settings.key_ring
    if missing := await sealed_rows.missing_keys(conn, ring):
        return [Finding("SECRET_KEYS", "fail", f"{missing.removeprefix('SECRET_KEYS: ')}; no process starts like this")]
    older = {each.kid for each in await sealed_rows.count(conn)} - {key_derivation.current(ring)}
    text = "rows are encrypted under {}; run `secret-keys reseal` before you take that away"
    return [Finding("SECRET_KEYS", "warn", text.format(", ".join(sorted(older))))] if older else []


def _state(settings: "Settings", kid: str) -> str:
    if kid not in settings.key_ring:
        return "missing"
    return "current" if kid == key_derivation.current(settings.key_ring) else "older"


async def _reseal(_arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        done, refused = await sealed_rows.reseal(pool, settings.key_ring)
    faults = [f"{each.place.purpose} of {each.place.project_id}: {each.fault}" for each in refused]
    answer = {"resealed": done, "refused": faults}
    if refused:
        raise PartialFailure(answer, kind="wrong")
    return answer
