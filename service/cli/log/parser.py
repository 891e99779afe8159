"""Arguments of the log commands."""

import argparse
from pathlib import Path
from typing import Any

from service.cli.command_table import COMMANDS
from service.cli.commands import add_command, add_group
from service.cli.log import checkpoints, following
from service.cli.log.formats import FORMATS
from service.crypto import log_checkpoints
from service.store import log_chain

_VERIFY = "verify the chains of the security log and their checkpoints; code 7 and the row where one is broken"


def add(verbs: Any) -> None:
    words = add_group(verbs, "log", COMMANDS["log"].text)
    verify = add_command(words, "verify", checkpoints.verify, _VERIFY)
    verify.add_argument("--project", metavar="ID", help="of this project alone")
    verify.add_argument("--month", type=_month, metavar="YYYY-MM", help="the chain of this month alone")
    verify.add_argument(
        "--public-key", dest="keys", type=_public_key, action="append", default=[], metavar="FILE",
        help="a public key whose secret key is not in SECRET_KEYS any more; may be given several times",
    )  # fmt: skip
    listed = add_command(
        words, "checkpoints", checkpoints.list_checkpoints, "list a project's checkpoints with their signed texts"
    )
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
    shown = add_command(
        words, "public-key", checkpoints.show_public_key, "show the public key that verifies checkpoints, in PEM"
    )
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
