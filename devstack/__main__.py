"""`python -m devstack run` is the whole service on one machine, `mailbox` the mailbox alone."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from devstack.mailbox import open_mailbox
from devstack.programs import ROOT
from devstack.supervisor import Ports, run


def main(words: list[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    if arguments.what == "mailbox":
        return asyncio.run(_mailbox(smtp_port=arguments.smtp_port, http_port=arguments.http_port))
    ports = Ports(api=arguments.port, page=arguments.mailbox_port, smtp=arguments.smtp_port)
    return asyncio.run(run(Path(os.environ.get("LOCAL_STATE") or ROOT / ".local"), ports=ports))


def _parser() -> argparse.ArgumentParser:
    usual = Ports()
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    whole = commands.add_parser(
        "run",
        help="Postgres, Valkey, the API, a worker and the mailbox, until Ctrl-C",
        epilog="Data, secrets and logs stay in .local of the repository, or in the folder LOCAL_STATE.",
    )
    whole.add_argument("--port", type=_port, default=usual.api, help="of the API (%(default)s)")
    whole.add_argument("--mailbox-port", type=_port, default=usual.page, help="of its page (%(default)s)")
    whole.add_argument("--smtp-port", type=_port, default=usual.smtp, help="of its SMTP (%(default)s)")
    box = commands.add_parser("mailbox", help="take every mail by SMTP, show it on a page and as JSON")
    box.add_argument("--smtp-port", type=_port, default=usual.smtp, help="%(default)s; 0 picks a free one")
    box.add_argument("--http-port", type=_port, default=usual.page, help="%(default)s; 0 picks a free one")
    return parser


def _port(word: str) -> int:
    if word.isdecimal() and int(word) <= 65535:
        return int(word)
    raise argparse.ArgumentTypeError(f"{word!r} is not a port")


async def _mailbox(*, smtp_port: int, http_port: int) -> int:
    over = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, over.set)
    try:
        async with open_mailbox(smtp_port=smtp_port, page_port=http_port) as box:
            print(f"Mailbox http://localhost:{box.page_port}, SMTP localhost:{box.smtp_port}", flush=True)
            await over.wait()
    except OSError as error:
        print(f"The mailbox can't listen: {error.strerror}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
