"""`python -m service sms list|show|status|retry|cancel|key`: inspect and steer SMS by hand."""

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from service import phone_numbers
from service.cli import confirmation
from service.cli.arguments import whole
from service.cli.command_table import COMMANDS
from service.cli.commands import NotFound, PartialFailure, add_command, add_group, database, find_project
from service.cli.tables import Listing
from service.crypto import key_derivation
from service.store import sms
from service.store.unit_of_work import UnitOfWork, unit_of_work

if TYPE_CHECKING:
    from service.settings import Settings

Action = Callable[[UnitOfWork, list[UUID]], Awaitable[list[UUID]]]
_COLUMNS = (
    "id", "project_id", "kind", "recipient", "state", "attempts", "used", "created_at", "last_code", "last_fault",
)  # fmt: skip
_KEY = "show the keys that sign SMS, in hex, the present one first: the webhook's own secret (docs/operations.md#sms)"


def add(verbs: Any) -> None:
    words = add_group(verbs, "sms", COMMANDS["sms"].text)
    listed = add_command(words, "list", _list, "list SMS, newest first")
    listed.add_argument(
        "--state", dest="states", action="append", choices=sms.STATES, help="may be given several times"
    )
    listed.add_argument("--project", metavar="ID")
    listed.add_argument(
        "--limit", type=whole(1, 1000), default=50, metavar="N", help="at most so many; 50 if not given"
    )
    listed.add_argument("--after", type=UUID, metavar="ID", help="those that come after this SMS in the list")
    shown = add_command(words, "show", _show, "show an SMS")
    shown.add_argument("sms", type=UUID, metavar="ID")
    for made in (listed, shown):
        made.add_argument("--recipients", action="store_true", help="show numbers in full: they are personal data")
    status = add_command(words, "status", _status, "count SMS by state")
    status.add_argument("--project", metavar="ID", help="of this project alone")
    retry = add_command(words, "retry", _retry, "make SMS due at once that wait or have failed, while their codes live")
    cancel = add_command(words, "cancel", _cancel, "end SMS that are still to be sent")
    for made in (retry, cancel):
        made.add_argument("sms", type=UUID, nargs="+", metavar="ID")
    confirmation.add(cancel)
    add_command(words, "key", _key, _KEY)


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        if arguments.project is not None:
            await find_project(pool, arguments.project)
        found = await sms.page(
            pool,
            states=arguments.states,
            project_id=arguments.project,
            after=arguments.after,
            most=arguments.limit,
        )
    return Listing([_shown(each, full=arguments.recipients) for each in found], _COLUMNS)


async def _show(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        found = await sms.find(pool, arguments.sms)
    if found is None:
        raise NotFound(f"no SMS {arguments.sms}")
    return _shown(found, full=arguments.recipients)


def _shown(found: sms.Sms, *, full: bool) -> dict[str, Any]:
    recipient = found.recipient if full else phone_numbers.mask(found.recipient)
    return asdict(found) | {"id": str(found.id), "recipient": recipient}


async def _status(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        if arguments.project is not None:
            await find_project(pool, arguments.project)
        found = await sms.count_states(pool, project_id=arguments.project)
    return Listing([asdict(each) for each in found], ("state", "count", "estimated", "oldest_age"))


async def _retry(arguments: argparse.Namespace, settings: "Settings") -> object:
    return await _steer(arguments, settings, sms.retry, word="retried")


async def _cancel(arguments: argparse.Namespace, settings: "Settings") -> object:
    confirmation.ask(arguments, "Cancel these SMS?")
    return await _steer(arguments, settings, sms.cancel, word="cancelled")


async def _steer(arguments: argparse.Namespace, settings: "Settings", act: Action, *, word: str) -> object:
    """Return the answer. Raises PartialFailure where some have ended, are with a worker, or are not there."""
    async with database(settings) as pool:
        async with unit_of_work(pool, None) as tx:
            done = await act(tx, arguments.sms)
        refused = {each: await sms.find(pool, each) for each in arguments.sms if each not in done}
    why = [f"{each}: {_why(found, word)}" for each, found in refused.items()]
    answer = {word: [str(each) for each in done], "refused": why}
    if refused:
        raise PartialFailure(answer, kind="refused" if all(refused.values()) else "missing")
    return answer


def _why(found: sms.Sms | None, word: str) -> str:
    match found.state if found else "":
        case "":
            return "there is no such SMS"
        case "sending":
            return "a worker is sending it"
        case "pending" | "failed" as state if word == "retried":
            return f"it is {state}, and its code works no more"
        case state:
            return f"it has ended as {state}"


async def _key(_arguments: argparse.Namespace, settings: "Settings") -> object:
    keys = key_derivation.sms_keys(settings.key_ring)
    return Listing([{"key": kid, "signs_with": key} for kid, key in keys.items()], ("key", "signs_with"))
