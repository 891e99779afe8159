"""Make, show, change, test and delete a project's webhooks."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from service import ids, webhook_urls
from service.cli import confirmation
from service.cli.commands import AlreadyExists, CheckFailed, NotFound, UsageError, database, find_project
from service.cli.tables import Listing
from service.cli.webhooks import deliveries
from service.crypto.sealing import CannotUnseal
from service.db import transaction
from service.store import webhooks

if TYPE_CHECKING:
    from service.settings import Settings

_COLUMNS = ("id", "url", "types", "status", "pending", "failing_since", "reason")


def _check(settings: "Settings", url: str) -> None:
    """Raise UsageError for a URL that no webhook may have."""
    if fault := webhook_urls.fault(url, settings.reachable_networks):
        raise UsageError(f"this URL can't be used: {fault}")


async def create(arguments: argparse.Namespace, settings: "Settings") -> object:
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


async def list_webhooks(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        found = await webhooks.page_endpoints(pool, arguments.project)
    return Listing([asdict(each) for each in found], _COLUMNS)


async def show(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        return asdict(await deliveries.get(pool, arguments.project, arguments.webhook))


async def update(arguments: argparse.Namespace, settings: "Settings") -> object:
    if arguments.url is None and arguments.types is None:
        raise UsageError("nothing to change; --url and --types are what can be")
    if arguments.url is not None:
        _check(settings, arguments.url)
    place = (arguments.project, arguments.webhook)
    async with database(settings) as pool:
        await deliveries.get(pool, *place)
        await webhooks.change(pool, *place, url=arguments.url, types=arguments.types)
        return asdict(await deliveries.get(pool, *place))


async def delete(arguments: argparse.Namespace, settings: "Settings") -> object:
    confirmation.ask(arguments, f"Delete the webhook {arguments.webhook} of {arguments.project}, with what it is owed?")
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        if not await webhooks.delete(pool, arguments.project, arguments.webhook):
            raise NotFound(f"{arguments.project} has no webhook {arguments.webhook}")
    return {"deleted": arguments.webhook}


async def rotate(arguments: argparse.Namespace, settings: "Settings") -> object:
    place = (arguments.project, arguments.webhook)
    async with database(settings) as pool:
        await deliveries.get(pool, *place)
        async with transaction(pool, arguments.project) as tx:
            secret = await webhooks.rotate(tx, settings.key_ring, *place, overlap=arguments.overlap)
    return {"id": arguments.webhook, "secret": secret.reveal(), "former_sign_for_seconds": arguments.overlap}


async def enable(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await deliveries.get(pool, arguments.project, arguments.webhook)
        await webhooks.enable(pool, arguments.project, arguments.webhook)
    return {"id": arguments.webhook, "status": "enabled"}


async def disable(arguments: argparse.Namespace, settings: "Settings") -> object:
    async with database(settings) as pool:
        await deliveries.get(pool, arguments.project, arguments.webhook)
        await webhooks.disable(pool, arguments.project, arguments.webhook, reason=webhooks.BY_OPERATOR)
    return {"id": arguments.webhook, "status": "disabled"}


async def test(arguments: argparse.Namespace, settings: "Settings") -> object:
    place = (arguments.project, arguments.webhook)
    async with database(settings) as pool:
        endpoint = await deliveries.get(pool, *place)
        try:
            signing = await webhooks.live_secrets(pool, settings.key_ring, *place)
        except CannotUnseal as fault:
            raise UsageError(f"a secret of the webhook can't be opened: {fault}") from None
    answer, seconds = await arguments.post_test(settings, arguments.project, endpoint.url, signing)
    taken = round(seconds, 3)
    found = {"delivered": answer.delivered, "status": answer.status, "fault": answer.fault, "seconds": taken}
    if not answer.delivered:
        raise CheckFailed(found)
    return found
