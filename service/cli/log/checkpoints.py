"""`log verify|checkpoints|public-key`: the chains of the security log, their checkpoints, and the keys of these."""

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service.cli.commands import CheckFailed, NotFound, database, find_project
from service.cli.log import verification
from service.cli.log.verification import Keys, Report
from service.cli.tables import Listing
from service.crypto import key_derivation, log_checkpoints
from service.store import log_checkpoints as stored
from service.store import projects

if TYPE_CHECKING:
    from service.settings import Settings

_COLUMNS = ("project", "month", "rows", "erased", "checkpoints", "state", "fault", "since", "until")


async def verify(arguments: argparse.Namespace, settings: "Settings") -> object:
    keys = Keys(log_checkpoints.public_keys(settings.key_ring), arguments.keys)
    async with database(settings) as pool:
        if arguments.project is not None:
            await find_project(pool, arguments.project)
        names = [arguments.project] if arguments.project else [each.id for each in await projects.list_all(pool)]
        rows = []
        for name in names:
            project = await verification.load(pool, name, keys, months=settings.log_months)
            rows += [_row(name, report) async for report in verification.verify(pool, project, arguments.month)]
    if arguments.month and not rows:
        raise NotFound(f"no chain of {arguments.month}")
    answer = Listing(rows, _COLUMNS)
    if any(row["fault"] for row in rows):
        raise CheckFailed(answer)
    return answer


def _row(project: str, report: Report) -> dict[str, Any]:
    state = "broken" if report.fault else "whole" if report.month else "in no chain"
    return {"project": project} | asdict(report) | {"state": state}


async def list_checkpoints(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await stored.of_project(pool, arguments.project)
    rows = [
        {
            "month": each.month,
            "number": each.number,
            "at": each.at,
            "key": each.kid,
            "hash": each.hash.hex(),
            "text": each.text,
            "signature": each.signature.hex(),
        }
        for each in found
    ]
    return Listing(rows, ("month", "number", "at", "key", "hash"))


async def show_public_key(arguments: argparse.Namespace, settings: "Settings") -> object:
    kid = arguments.key or key_derivation.current(settings.key_ring)
    found = log_checkpoints.public_keys(settings.key_ring).get(kid)
    if found is None:
        raise NotFound(f"no key {kid} in SECRET_KEYS")
    if arguments.json:
        return {"key": kid, "pem": log_checkpoints.pem(found)}
    sys.stdout.write(log_checkpoints.pem(found))
    return None
