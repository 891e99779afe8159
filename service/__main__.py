"""`python -m service`: serve the API, migrate the database, manage projects, hosts, keys, users, mails, SMS.

Exit codes: 0 done, 1 the output can't be written, 2 wrong words, 3 it exists already, 4 there is no such thing,
5 the settings are unfit, 6 Postgres or Redis can't be used as it is, or a port can't be had, 7 the doctor found
something wrong.
"""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from service.cli import arguments as kinds
from service.cli import output, program
from service.cli.command_table import COMMANDS
from service.cli.commands import CheckFailed, Parser, PartialFailure
from service.version import VERSION

if TYPE_CHECKING:
    from service.settings import Settings


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Make the parser for these words: the command that they name, or else all by their sentences alone."""
    root = Parser(
        prog=program.name("service"), description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root.add_argument("--version", action="version", version=VERSION, help="print the version")
    root.add_argument("--json", action="store_true", help="answer in JSON")
    verbs = root.add_subparsers(required=True, metavar="COMMAND")
    if named := COMMANDS.get(next((word for word in words if word != "--json"), "")):
        importlib.import_module(f"service.cli.{named.module}").add(verbs)
    else:
        for name, entry in COMMANDS.items():
            verbs.add_parser(name, help=entry.text)
    root.set_defaults(try_relays=_try_relays, send_letter=_send_letter, smtp_server_of=_smtp_server_of, serve=None)
    root.set_defaults(previews=_previews, try_webhook=_try_webhook, post_test=_post_test, supervise=None)
    return root


async def _try_relays(settings: "Settings", own: Any = None) -> list[Any]:
    """Check the relays with the worker's own code, which only this command line knows; or a project's own one."""
    from worker import trial  # noqa: PLC0415 - no other command needs the worker

    return await trial.try_relays(settings, own)


async def _try_webhook(settings: "Settings") -> Any:
    """Check the webhook for SMS with the worker's own code; None without one."""
    from worker.sms.check import check_webhook  # noqa: PLC0415 - no other command needs the worker

    return await check_webhook(settings.sms_url.get_secret_value())


async def _post_test(settings: "Settings", *webhook: Any) -> Any:
    """Post a test event to a project's webhook with the worker's own code."""
    from worker.webhooks import trial  # noqa: PLC0415 - no other command needs the worker

    return await trial.post_test(settings, *webhook)


async def _send_letter(draft: Any, settings: "Settings", **more: Any) -> Any:
    """Send a letter that an operator tries, with the worker's own code."""
    from worker import trial  # noqa: PLC0415 - no other command needs the worker

    return await trial.send_letter(draft, settings, **more)


def _previews() -> Any:
    """Return the worker's module that renders letters without a mail."""
    from worker import previews  # noqa: PLC0415 - no other command needs the worker

    return previews


def _smtp_server_of(url: str) -> str:
    """Check an SMTP URL as a worker does; return its host:port. Raises ValueError."""
    from worker.relays import parse_urls  # noqa: PLC0415 - no other command needs the worker

    return parse_urls(url)[0].name


def main(words: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    root = parser(words)
    kinds.check(root, words)
    arguments = root.parse_args(words)
    logging.getLogger().addHandler(logging.NullHandler())  # a command reports its own errors
    if arguments.serve:  # needs fewer settings, and prints lines of its own
        return int(arguments.serve(arguments))
    return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    # Two thirds of the time to start, which --help and a wrong word need not wait for.
    import uvloop  # noqa: PLC0415 - see above

    from service.cli import exit_codes  # noqa: PLC0415 - see above
    from service.settings import Settings  # noqa: PLC0415 - see above

    settings = None
    try:
        settings = Settings.read()
        if arguments.supervise:
            arguments.supervise(arguments, settings)
        answer, code = uvloop.run(arguments.act(arguments, settings)), 0
    except PartialFailure as refused:
        answer, code = refused.answer, exit_codes.PARTLY[refused.kind]
    except CheckFailed as found:
        answer, code = found.answer, exit_codes.UNWELL
    except Exception as error:
        code = exit_codes.code_of(error)
        if not code:
            raise
        print(exit_codes.describe(error, code, settings), file=sys.stderr)
        return code
    output.show(answer, as_json=arguments.json)
    return code


def run() -> int:
    """Run as a program: the entry point of the console script `accounts`."""
    return program.run(main)


if __name__ == "__main__":
    sys.exit(run())
