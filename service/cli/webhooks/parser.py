"""Arguments of the webhooks commands."""

import argparse
from typing import Any

from service.cli import arguments as kinds
from service.cli import confirmation
from service.cli.command_table import COMMANDS
from service.cli.commands import add_command, add_group
from service.cli.webhooks import deliveries, endpoints, values

_EVENTS = "types of events that it gets, such as account.create,users.*; all if not given (docs/events.md)"
_OVERLAP = f"the former secrets sign as well for so long; a day if not given. 0 ends them at once. {kinds.LIFETIME}"
DAY = 86_400


def add(verbs: Any) -> None:
    words = add_group(verbs, "webhooks", COMMANDS["webhooks"].text)
    create = add_command(
        words, "create", endpoints.create, "have events posted to a URL; its secret is shown this once"
    )
    create.add_argument("project")
    create.add_argument("url")
    create.add_argument("--id", type=values.endpoint_id, help="a name of your own; one is made if not given")
    create.add_argument("--types", type=values.types, default=[], metavar="A,B", help=_EVENTS)
    add_command(words, "list", endpoints.list_webhooks, "list a project's webhooks").add_argument("project")
    _add(words, "show", endpoints.show, "show a webhook")
    update = _add(words, "update", endpoints.update, "change a webhook's URL or events")
    update.add_argument("--url")
    update.add_argument("--types", type=values.types, metavar="A,B", help=f"{_EVENTS}; * for all")
    confirmation.add(_add(words, "delete", endpoints.delete, "delete a webhook with all that it is still owed"))
    rotate = _add(words, "rotate", endpoints.rotate, "make a new secret, which is shown this once")
    rotate.add_argument("--overlap", type=_overlap, default=DAY, metavar="TIME", help=_OVERLAP)
    _add(words, "enable", endpoints.enable, "post events again, first what is owed")
    _add(words, "disable", endpoints.disable, "post nothing; what is owed waits, later events are for `replay`")
    _add(words, "test", endpoints.test, "post a test event now; code 7 if it is not taken")
    deliveries.add(words, _add)


def _add(words: Any, name: str, act: Any, text: str) -> argparse.ArgumentParser:
    made = add_command(words, name, act, text)
    made.add_argument("project")
    made.add_argument("webhook", help="its id")
    return made


def _overlap(text: str) -> int:
    return 0 if text == "0" else kinds.lifetime(text)
