"""`python -m devstack run` is the whole service on one machine, `cli` its command line, `mailbox` the mailbox alone."""

import argparse
import asyncio
import os
import signal
import sys

from devstack import cli, lan
from devstack.children import ROOT
from devstack.mailbox import open_mailbox
from devstack.ports import USUAL, Ports
from devstack.supervisor import run


def main(words: list[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    state = ROOT / (os.environ.get("LOCAL_STATE") or ".local")
    if words[:1] == ["cli"]:  # all further words are the service's
        return cli.run(state, words[1:])
    arguments = parser().parse_args(words)
    if arguments.what == "mailbox":
        return asyncio.run(_mailbox(smtp_port=arguments.smtp_port, http_port=arguments.http_port))
    named = {
        "api": arguments.port, "page": arguments.mailbox_port, "smtp": arguments.smtp_port, "app": arguments.app_port,
    }  # fmt: skip
    given = {name: port for name, port in named.items() if port is not None}
    return asyncio.run(run(state, ports=Ports(**given, wanted=frozenset(given)), host=arguments.host))


def parser() -> argparse.ArgumentParser:
    """Make the parser; `./dev run --help` shows a text of its own (`dev`), since it installs nothing."""
    made = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    commands = made.add_subparsers(dest="what", required=True)
    whole = commands.add_parser(
        "run",
        help="Postgres, Valkey, the API, a worker, the mailbox, the example app and a provider, until Ctrl-C",
        epilog="Data, secrets and logs stay in .local of the repository, or in the folder LOCAL_STATE.",
    )
    whole.add_argument("--port", type=_port, help=f"of the API (from {USUAL.api} on)")
    whole.add_argument("--mailbox-port", type=_port, help=f"of its page (from {USUAL.page} on)")
    whole.add_argument("--smtp-port", type=_port, help=f"of its SMTP (from {USUAL.smtp} on)")
    whole.add_argument("--app-port", type=_port, help=f"of the example app (from {USUAL.app} on)")
    whole.add_argument(
        "--host", nargs="?", const=lan.AUTO, default="", metavar="ADDRESS", help="be reached by others in the LAN, too"
    )
    commands.add_parser("cli", add_help=False, help="a command of `python -m service` on the running demo")
    box = commands.add_parser("mailbox", help="take every mail by SMTP, show it on a page and as JSON")
    box.add_argument("--smtp-port", type=_port, default=USUAL.smtp, help="%(default)s; 0 picks a free one")
    box.add_argument("--http-port", type=_port, default=USUAL.page, help="%(default)s; 0 picks a free one")
    return made


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
