"""Arguments of `doctor`."""

import argparse
from typing import Any

from service import email_addresses
from service.cli.command_table import COMMANDS
from service.cli.commands import add_command
from service.cli.doctor import checks, mail_checks


def add(verbs: Any) -> None:
    doctor = add_command(verbs, "doctor", checks.run, COMMANDS["doctor"].text)
    doctor.add_argument(
        "--through",
        metavar="URL",
        help="ask the running service at its public address which client address it believes, through all proxies",
    )
    doctor.add_argument(
        "--mail", type=_sender_domain, metavar="DOMAIN",
        help="look up this sender alone: what its SPF, DKIM, DMARC and their alignment lack",
    )  # fmt: skip
    mail_checks.add_options(doctor)


def _sender_domain(text: str) -> str:
    """Parse a domain, or an address of it."""
    try:
        return checks.domain_of(email_addresses.canonical(f"a@{checks.domain_of(text) or text}", special_use=True))
    except ValueError:
        raise argparse.ArgumentTypeError("a domain such as shop.example") from None
