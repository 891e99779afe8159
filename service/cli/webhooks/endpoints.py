"""`python -m service webhooks …`: addresses of other systems that a project's events are posted to."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from service import ids, webhook_urls
from service.cli import arguments as kinds
from service.cli import confirmation
from service.cli.command_table import COMMANDS
from service.cli.commands import (
    AlreadyExists,
    CheckFailed,
    NotFound,
    UsageError,
    add_command,
    add_group,
    database,
    find_project,
)
from service.cli.tables import Listing
from service.cli.webhooks import deliveries, values
from service.crypto.sealing import CannotUnseal
from service.db import transaction
from service.store import webhooks

if TYPE_CHECKING:
    from service.settings import Settings

_COLUMNS = ("id", "url", "types", "status", "pending", "failing_since", "reason")
_EVENTS = "types of events that it gets, such as account.create,users.*; all if not given (docs/events.md)"
_OVERLAP = f"the former secrets sign as well for so long; a day if not given. 0 ends them at once. {kinds.LIFETIME}"
DAY = 86_400


def add(verbs: Any) -> None:
    words = add_group(verbs, "webhooks", COMMANDS["webhooks"].text)
    create = add_command(words, "create", _create, "have events posted to a URL; its secret is shown this once")
    create.add_argument("project")
    create.add_argument("url")
    create.add_argument("--id", type=values.endpoint_id, help="a name of your own; one is made if not given")
    create.add_argument("--types", type=values.types, default=[], metavar="A,B", help=_EVENTS)
    add_command(words, "list", _list, "list a project's webhooks").add_argument("project")
    _add(words, "show", _show, "show a webhook")
    update = _add(words, "update", _update, "change a webhook's URL or events")
    update.add_argument("--url")
    update.add_argument("--types", type=values.types, metavar="A,B", help=f"{_EVENTS}; * for all")
    confirmation.add(_add(words, "delete", _delete, "delete a webhook with all that it is still owed"))
    rotate = _add(words, "rotate", _rotate, "make a new secret, which is shown this once")
    rotate.add_argument("--overlap", type=_overlap, default=DAY, metavar="TIME", help=_OVERLAP)
    _add(words, "enable", _enable, "post events again, first what is owed")
    _add(words, "disable", _disable, "post nothing; what is owed waits, later events are for `replay`")
    _add(words, "test", _test, "post a test event now; code 7 if it is not taken")
    deliveries.add(words, _add)


def _add(words: Any, name: str, act: Any, text: str) -> argparse.ArgumentParser:
    made = add_command(words, name, act, text)
    made.add_argument("project")
    made.add_argument("webhook", help="its id")
    return made


def _overlap(text: str) -> int:
    return 0 if text == "0" else kinds.lifetime(text)


def _check(settings: "Settings", url: str) -> None:
    """Raise UsageError for a URL that no webhook may have."""
    if fault := webhook_urls.fault(url, settings.reachable_networks):
        raise UsageError(f"this URL can't be used: {fault}")


async def _create(arguments: argparse.Namespace, settings: "Settings") -> object:
    _check(settings, arguments.url)
    endpoint_id, project_id = arguments.id or ids.new(), arguments.project
    async with database(settings) as pool:
        await find_project(pool, project_id)
        if await webhooks.find(pool, project_id, endpoint_id):
            raise AlreadyExists(f"{project_id} has a webhook {endpoint_id} already")
        async with transaction(pool, project_id) as tx:
            facts = {"url": arguments.url, "types": arguments.types}
            secret = await webhooks.create(tx, settings.key_ring, project_id, endpoint_id, **facts)
    return {"id": endpoint_id, "url": arguments.url, "types": arguments.types, "secret": secret.reveal()}


async def _list(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await webhooks.page_endpoints(pool, arguments.project)
    return Listing([asdict(each) for each in found], _COLUMNS)


async def _show(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        return asdict(await deliveries.get(pool, arguments.project, arguments.webhook))


async def _update(arguments: argparse.Namespace, settings: "Settings") -> object:
    if arguments.url is None and arguments.types is None:
        raise UsageError("nothing to change; --url and --types are what can be")
    if arguments.url is not None:
        _check(settings, arguments.url)
    place = (arguments.project, arguments.webhook)
    async with database(settings) as pool:
        await deliveries.get(pool, *place)
        await webhooks.change(pool, *place, url=arguments.url, types=arguments.types)
        return asdict(await deliveries.get(pool, *place))


async def _delete(arguments: argparse.Namespace, settings: "Settings") -> object:
    confirmation.ask(arguments, f"Delete the webhook {arguments.webhook} of {arguments.project}, with what it is owed?")
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        if not await webhooks.delete(pool, arguments.project, arguments.webhook):
            raise NotFound(f"{arguments.project} has no webhook {arguments.webhook}")
    return {"deleted": arguments.webhook}


async def _rotate(arguments: argparse.Namespace, settings: "Settings") -> object:
    place = (arguments.project, arguments.webhook)
    async with database(settings) as pool:
        await deliveries.get(pool, *place)
        async with transaction(pool, arguments.project) as tx:
            secret = await webhooks.rotate(tx, settings.key_ring, *place, overlap=arguments.overlap)
    return {"id": arguments.webhook, "secret": secret.reveal(), "former_sign_for_seconds": arguments.overlap}


async def _enable(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await deliveries.get(pool, arguments.project, arguments.webhook)
        await webhooks.enable(pool, arguments.project, arguments.webhook)
    return {"id": arguments.webhook, "status": "enabled"}


async def _disable(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await deliveries.get(pool, arguments.project, arguments.webhook)
        await webhooks.disable(pool, arguments.project, arguments.webhook, reason=webhooks.BY_OPERATOR)
    return {"id": arguments.webhook, "status": "disabled"}


async def _test(arguments: argparse.Namespace, settings: "Settings") -> object:
    place = (arguments.project, arguments.webhook)
    async with database(settings) as pool:
        endpoint = await deliveries.get(pool, *place)
        try:
            signing = await webhooks.live_secrets(pool, settings.key_ring, *place)
        except CannotUnseal as fault:
            raise UsageError(f"a secret of the webhook can't be opened: {fault}") from None
    answer, seconds = await arguments.post_test(settings, arguments.project, endpoint.url, signing)
    found = {"delivered": answer.delivered, "status": answer.status, "fault": answer.fault, "took": round(seconds, 3)}
    if not answer.delivered:
        raise CheckFailed(found)
    return found
