"""`python -m service log verify|checkpoints|public-key|export|follow`: verify the security log, hand it on."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.cli.command_table import COMMANDS
from service.cli.commands import CheckFailed, NotFound, add_command, add_group, database, find_project
from service.cli.log import following, verification
from service.cli.log.formats import FORMATS
from service.cli.log.verification import Keys, Report
from service.cli.tables import Listing
from service.crypto import key_derivation, log_checkpoints
from service.store import log_chain, projects
from service.store import log_checkpoints as stored

if TYPE_CHECKING:
    from service.settings import Settings

_COLUMNS = ("project", "month", "rows", "erased", "checkpoints", "state", "fault", "since", "until")
_VERIFY = "verify the chains of the security log and their checkpoints; code 7 and the row where one is broken"


def add(verbs: Any) -> None:
    words = add_group(verbs, "log", COMMANDS["log"].text)
    verify = add_command(words, "verify", _verify, _VERIFY)
    verify.add_argument("--project", metavar="ID", help="of this project alone")
    verify.add_argument("--month", type=_month, metavar="YYYY-MM", help="the chain of this month alone")
    verify.add_argument(
        "--public-key", dest="keys", type=_public_key, action="append", default=[], metavar="FILE",
        help="a public key whose secret key is not in SECRET_KEYS any more; may be given several times",
    )  # fmt: skip
    listed = add_command(words, "checkpoints", _checkpoints, "list a project's checkpoints with their signed texts")
    listed.add_argument("project", metavar="ID")
    export = add_command(words, "export", following.export, "print a project's log, one JSON object a line")
    export.add_argument("--month", type=_month, metavar="YYYY-MM", help="the rows of this month alone")
    follow = add_command(words, "follow", following.follow, "print what comes into a project's log, as it comes")
    export.add_argument("project", metavar="ID")
    following.add_options(follow)
    for made in (export, follow):
        made.add_argument(
            "--format", choices=tuple(FORMATS), default="ndjson",
            help="ndjson has all values; ecs and ocsf are for a SIEM (docs/security-log.md#for-a-siem)",
        )  # fmt: skip
    shown = add_command(words, "public-key", _show_key, "show the public key that verifies checkpoints, in PEM")
    shown.add_argument("key", nargs="?", metavar="KEY", help="that of this key of SECRET_KEYS; else of the first")


def _month(text: str) -> str:
    if not log_chain.MONTH.fullmatch(text):
        raise argparse.ArgumentTypeError("a month such as 2026-11")
    return text


def _public_key(path: str) -> log_checkpoints.PublicKey:
    try:
        return log_checkpoints.read_pem(Path(path).read_bytes())
    except (OSError, ValueError):
        raise argparse.ArgumentTypeError(f"{path} is no file with an Ed25519 public key in PEM") from None


async def _verify(arguments: argparse.Namespace, settings: "Settings") -> object:
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


async def _checkpoints(arguments: argparse.Namespace, settings: "Settings") -> object:
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


async def _show_key(arguments: argparse.Namespace, settings: "Settings") -> object:
    kid = arguments.key or key_derivation.current(settings.key_ring)
    found = log_checkpoints.public_keys(settings.key_ring).get(kid)
    if found is None:
        raise NotFound(f"no key {kid} in SECRET_KEYS")
    if arguments.json:
        return {"key": kid, "pem": log_checkpoints.pem(found)}
    sys.stdout.write(log_checkpoints.pem(found))
    return None
