"""`python -m worker`: send mails and file the security log until told to stop. Run as many as you like.

`python -m worker check` says whether the worker of this machine or container lives.
`python -m worker mails …` shows operators what became of mails, and lets them steer.
Exit codes: 0 done, 1 not alive, 2 wrong words, 5 the settings are unfit; those of `mails` stand in its own --help.
"""

import argparse
import sys
from collections.abc import Sequence

import orjson
import uvloop

from service import devices, journal
from service.cli import arguments as kinds
from service.cli import exits
from service.cli.verbs import Parser
from service.settings import Settings, Unfit, WorkerSettings
from worker import desk, letters
from worker.pulse import look
from worker.shift import work
from worker.smtp import parse_urls

NOT_ALIVE = 1


def parser() -> argparse.ArgumentParser:
    root = Parser(prog="python -m worker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root.add_argument("--json", action="store_true", help="answer in JSON")
    words = root.add_subparsers(dest="command", metavar="COMMAND", help="run if not given")
    for name, text in (("run", "work until told to stop"), ("check", "say whether the worker of this machine lives")):
        made = words.add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer in JSON")
    desk.add(words)
    root.set_defaults(command="run")
    return root


def main(words: Sequence[str] | None = None) -> int:
    words, root = sys.argv[1:] if words is None else words, parser()
    kinds.check(root, words)
    arguments = root.parse_args(words)
    if arguments.command == "mails":
        return desk.serve(arguments)
    try:
        settings = WorkerSettings.read()
        if arguments.command == "check":
            answer = look(settings.worker_heartbeat)
            print(orjson.dumps(answer).decode() if arguments.json else f"alive: {answer['alive']}")
            return 0 if answer["alive"] else NOT_ALIVE
        relay_fault(settings)
    except Unfit as unfit:
        print(exits.words_for(unfit, exits.UNFIT), file=sys.stderr)
        return exits.UNFIT
    journal.write_to(level=settings.log_level)
    letters.shelf()
    devices.warm()
    uvloop.run(work(settings))
    return 0


def relay_fault(settings: Settings) -> None:
    """Raises Unfit for an SMTP_URL that can't be used."""
    try:
        parse_urls(settings.smtp_url.get_secret_value())
    except ValueError as fault:
        raise Unfit([f"SMTP_URL: {fault}"]) from None


if __name__ == "__main__":
    sys.exit(main())
