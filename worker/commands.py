"""`python -m worker`: send mails and write the security log until stopped. Run as many as you like.

`python -m worker check` says whether the worker of this machine or container lives; with `--relay` it says instead
whether the relays of SMTP_URL let us in (TLS, names, password or access token), and whether the webhook of SMS_URL can
be reached. It sends nothing.
`python -m worker bounces` takes in one mail that came back, from standard input, for a mail server's pipe. Its exit
codes are the mail server's: 0 done, 65 refused, 75 to be tried again (docs/bounces.md).
`python -m worker mails …` is `python -m service mails …` by its old name, for one more release.
Exit codes: 0 done, 1 not alive or not let in, 2 wrong words, 5 the settings are unfit; those of `mails` stand in its
own --help.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict

import orjson
import uvloop

from service import heartbeat, json_logging
from service.cli import arguments as kinds
from service.cli import exit_codes, program
from service.cli.commands import Parser
from service.cli.mails.output import serve
from service.cli.mails.parser import add_outbox
from service.clientinfo import user_agents
from service.settings import InvalidSettings, Settings, WorkerSettings
from service.version import VERSION
from worker.bounces import http_relays
from worker.mail import templates
from worker.main import run_worker
from worker.parts import relay_of
from worker.relays import SmtpUrl, StepResult, check_steps, parse_urls
from worker.sms.check import check_webhook

NOT_ALIVE = NOT_LET_IN = 1
_MOVED = "`python -m worker mails` is `python -m service mails` now; the old name goes with the next release."


def parser() -> argparse.ArgumentParser:
    root = Parser(
        prog=program.name("worker"), description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root.add_argument("--version", action="version", version=VERSION, help="print the version")
    root.add_argument("--json", action="store_true", help="answer in JSON")
    words = root.add_subparsers(dest="command", metavar="COMMAND", help="run if not given")
    for name, text in (("run", "work until told to stop"), ("check", "say whether the worker of this machine lives")):
        made = words.add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer in JSON")
        if name == "check":
            made.add_argument(
                "--relay", action="store_true", help="whether relays and webhook let us in; nothing is sent"
            )
    text = "take in one mail that came back, from standard input"
    words.add_parser("bounces", help=text, description=text).add_argument(
        "--recipient", action="append", default=[], metavar="ADDRESS", help="whom the mail server had it for"
    )
    add_outbox(words)
    root.set_defaults(command="run")
    return root


def main(words: Sequence[str] | None = None) -> int:
    words, root = sys.argv[1:] if words is None else words, parser()
    kinds.check(root, words)
    arguments = root.parse_args(words)
    logging.getLogger().addHandler(logging.NullHandler())  # a command prints its own messages
    if (code := _without_relay(arguments)) is not None:
        return code
    try:
        settings = WorkerSettings.read()
        servers = _relays(settings)
    except InvalidSettings as unfit:
        print(exit_codes.describe(unfit, exit_codes.UNFIT), file=sys.stderr)
        return exit_codes.UNFIT
    if arguments.command == "check":
        return _try_relays(servers, settings, as_json=arguments.json)
    json_logging.configure_logging(level=settings.log_level, form=settings.log_format)
    templates.load_templates()
    user_agents.load_rules()
    try:
        uvloop.run(run_worker(settings))
    except InvalidSettings as unfit:
        print(exit_codes.describe(unfit, exit_codes.UNFIT), file=sys.stderr)
        return exit_codes.UNFIT
    return 0


def _without_relay(arguments: argparse.Namespace) -> int | None:
    """Carry out a command that needs no relay, and return its exit code; None for any other."""
    if arguments.command == "mails":
        print(_MOVED, file=sys.stderr)
        return serve(arguments)
    if arguments.command == "bounces":
        from worker.bounces import pipe  # noqa: PLC0415 - the health check, each ten seconds, need not load it

        return pipe.run(arguments.recipient)
    if arguments.command == "check" and not arguments.relay:
        alive, line = heartbeat.describe(as_json=arguments.json)
        print(line)
        return 0 if alive else NOT_ALIVE
    return None


def _relays(settings: Settings) -> tuple[SmtpUrl, ...]:
    """Parse SMTP_URL. Raises InvalidSettings if it can't be used."""
    try:
        servers = parse_urls(settings.smtp_url.get_secret_value(), helo=settings.helo)
        relay_of(settings)
    except ValueError as fault:
        raise InvalidSettings([f"SMTP_URL: {fault}"]) from None
    except OSError as fault:
        raise InvalidSettings([f"SMTP_URL: its ca file can't be used ({fault.strerror})"]) from None
    return servers


async def _check(servers: tuple[SmtpUrl, ...], settings: Settings) -> list[StepResult]:
    webhook = await check_webhook(settings.sms_url.get_secret_value())
    steps = [*await check_steps(servers, settings.smtp_timeouts), *http_relays.check(servers, settings)]
    return [*steps, *([webhook] if webhook else [])]


def _try_relays(servers: tuple[SmtpUrl, ...], settings: Settings, *, as_json: bool) -> int:
    steps = asyncio.run(_check(servers, settings))
    if as_json:
        print(orjson.dumps([asdict(step) for step in steps]).decode())
    else:
        print("\n".join(f"{step.state:4} {step.relay} {step.step}: {step.message}" for step in steps))
    return 0 if all(step.passed for step in steps) else NOT_LET_IN
