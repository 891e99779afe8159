"""`python -m service`: serve the API, migrate the database, manage projects, hostnames, API keys and users.

Exit codes: 0 done, 2 wrong words, 3 it exists already, 4 there is no such thing, 5 the settings are unfit,
6 the database can't be reached or is not what this code expects, 7 the doctor found something wrong.
"""

import argparse
import sys
from collections.abc import Sequence

import orjson
import uvloop

from service import db, migrations
from service.cli import doctor, keys, limits, projects, serve, users
from service.cli.verbs import NoSuchThing, SomeRefused, Unwell, WrongWords
from service.errors import AccountError, ArgumentInvalid, EmailExists, SessionNotFound, UserExists, UserNotFound
from service.projects import ProjectExists
from service.settings import Settings, Unfit

WRONG, EXISTS, MISSING, UNFIT, AWAY, UNWELL = 2, 3, 4, 5, 6, 7
# The first that fits.
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((Unfit,), UNFIT),
    ((ArgumentInvalid, WrongWords), WRONG),
    ((ProjectExists, UserExists, EmailExists), EXISTS),
    ((NoSuchThing, UserNotFound, SessionNotFound), MISSING),
    ((TimeoutError, migrations.Drift, AccountError, OSError), AWAY),
)


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m service", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root.add_argument("--json", action="store_true", help="answer in JSON")
    verbs = root.add_subparsers(required=True, metavar="COMMAND")
    for noun in (serve, doctor, projects, limits, keys, users):
        noun.add(verbs)
    return root


def show(answer: object, *, as_json: bool) -> None:
    if answer is None:
        return
    if as_json:
        print(orjson.dumps(answer, default=str, option=orjson.OPT_INDENT_2).decode())
        return
    for number, entry in enumerate(answer if isinstance(answer, list) else [answer]):
        print("\n" * bool(number) + "\n".join(f"{name}: {_plain(value)}" for name, value in entry.items()))


def _plain(value: object) -> object:
    return (", ".join(map(str, value)) or "-") if isinstance(value, list) else value


def main(words: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    try:
        settings = Settings.read()
        answer, code = uvloop.run(arguments.act(arguments, settings)), 0
    except SomeRefused as refused:
        answer, code = refused.answer, EXISTS if refused.exists_only else WRONG
    except Unwell as found:
        answer, code = found.answer, UNWELL
    except Exception as error:
        code = _code_of(error)
        if not code:
            raise
        print(_words_for(error, code), file=sys.stderr)
        return code
    show(answer, as_json=arguments.json)
    return code


def _code_of(error: Exception) -> int:
    """0 for a fault of ours."""
    known = next((code for kinds, code in _CODES if isinstance(error, kinds)), 0)
    return known or (AWAY if db.refusal(error) else 0)


def _words_for(error: Exception, code: int) -> str:
    if isinstance(error, Unfit):
        return "\n  ".join(["the settings are unfit:", *error.faults])
    if code == AWAY:
        return f"the database: {db.refusal(error) or error or type(error).__name__}"
    return str(error) or type(error).__doc__ or ""


if __name__ == "__main__":
    sys.exit(main())
