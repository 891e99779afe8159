"""A project's own templates of letters: `python -m service templates list|show|set|reset|preview|send-test`."""

import argparse
from typing import Any

from service import i18n
from service.cli import arguments as kinds
from service.cli.command_table import COMMANDS
from service.cli.commands import Command, add_command, add_group, lazily
from service.store.template_overrides import ANY
from service.template_overrides.values import PARTS, SOURCE_SIZES, VALUES

_LOCALE = "a language such as de or pt-br; * for readers of every other one"


def _act(name: str) -> Command:
    """Name a command whose module parses templates."""
    return lazily("service.cli.template_commands", name)


def add(verbs: Any) -> None:
    words = add_group(verbs, "templates", COMMANDS["templates"].text)
    listed = add_command(words, "list", _act("list_templates"), "list own templates")
    listed.add_argument("--project", metavar="ID", help="of this project alone")
    shown = _letter(words, "show", _act("show"), "show an own template, or ours as a source to begin with")
    shown.add_argument("--part", choices=PARTS, help="only this part, as it is")
    change = _letter(words, "set", _act("set_parts"), "check and set parts of a letter; the other parts stay")
    for part in PARTS:
        text = f"file with the {part}, at most {SOURCE_SIZES[part]} bytes; - for standard input"
        change.add_argument(f"--{part}", metavar="FILE", help=text)
    reset = _letter(words, "reset", _act("reset"), "go back to our letter")
    reset.add_argument("--all", action="store_true", help="in every language")
    reset.add_argument("--part", choices=PARTS, help="only this part")
    preview = _letter(words, "preview", _act("preview"), "render a letter with invented values")
    preview.add_argument("--part", choices=PARTS, help="only this part, as it is")
    test = _letter(words, "send-test", _act("send_test"), "send a letter with invented values")
    test.add_argument("--to", type=kinds.recipient, required=True, metavar="ADDRESS")


def _letter(words: Any, name: str, act: Any, text: str) -> argparse.ArgumentParser:
    made = add_command(words, name, act, text)
    made.add_argument("project")
    made.add_argument("letter", choices=sorted(VALUES), metavar="LETTER", help=", ".join(sorted(VALUES)))
    made.add_argument("--locale", type=_locale, default=ANY, metavar="LOCALE", help=_LOCALE)
    return made


def _locale(text: str) -> str:
    locale = text.strip().replace("_", "-").lower()
    if locale != ANY and not i18n.has_dates(locale):
        raise argparse.ArgumentTypeError(_LOCALE)
    return locale
