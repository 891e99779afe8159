"""Shadow run: the same reads to an Appwrite project and to this service, and how the answers differ."""

import argparse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.cli.appwrite.keys import KEY, secret
from service.cli.appwrite.server_api import AppwriteApi
from service.cli.commands import CheckFailed, UsageError
from service.cli.progress import Progress
from service.cli.shadow import reads
from service.cli.shadow.json_differences import differences
from service.cli.shadow.parser import OWN_KEY
from service.cli.shadow.reads import ShadowRequest
from service.cli.tables import Listing

if TYPE_CHECKING:
    from service.settings import Settings


@dataclass(slots=True)
class Tally:
    """Reads that were sent, and how many answers were alike."""

    sent: int = 0
    alike: int = 0


async def run(arguments: argparse.Namespace, settings: "Settings") -> object:
    """Compare all answers. Raises CheckFailed with the differences."""
    keys = secret(arguments.key_file, KEY), secret(arguments.here_key_file, OWN_KEY)
    if arguments.file is None and None in keys:
        raise UsageError(f"users are compared by API keys of both sides: set {KEY} and {OWN_KEY}")
    here_url = arguments.here or f"{settings.public_url.rstrip('/')}/v1"
    tally, rows, progress = Tally(), [], Progress(None)
    async with (
        AppwriteApi(arguments.endpoint, arguments.source_project, keys[0]) as there,
        AppwriteApi(here_url, arguments.project, keys[1]) as here,
    ):
        wanted = _of_file(arguments.file) if arguments.file else _of_users(there, arguments.users)
        async for request in wanted:
            found = await _compare(request, there, here)
            tally.sent += 1
            tally.alike += not found
            rows += found
            if not arguments.json:
                for row in found:
                    progress.line(f"{row['path']} {row['field']}: {row['difference']}")
            progress.advance(tally.sent, f"{tally.sent} compared, {tally.alike} alike")
    progress.clear()
    if not rows:
        return {"compared": tally.sent, "alike": tally.alike}
    if arguments.json:
        raise CheckFailed(Listing(rows, ("path", "field", "difference")))
    raise CheckFailed({"compared": tally.sent, "alike": tally.alike, "differences": len(rows)})


async def _of_file(path: str) -> AsyncIterator[ShadowRequest]:
    for request in reads.read(path):
        yield request


async def _of_users(there: AppwriteApi, most: int | None) -> AsyncIterator[ShadowRequest]:
    """Make a read of each user of the other project."""
    made = 0
    async for page in there.users(""):
        for user in page.users:
            if made == most:
                return
            made += 1
            yield reads.of_user(user.get("$id"))


async def _compare(request: ShadowRequest, there: AppwriteApi, here: AppwriteApi) -> list[dict[str, str]]:
    one = await there.get(request.path, request.query, request.there)
    other = await here.get(request.path, request.query, request.here)
    if one.status != other.status:
        found = [("status", f"{one.status} there, {other.status} here")]
    elif one.status >= 400:  # texts and versions differ
        kinds = [answer.body.get("type") if isinstance(answer.body, dict) else None for answer in (one, other)]
        found = [("type", "other value")] if kinds[0] != kinds[1] else []
    else:
        found = list(differences(one.body, other.body, shape=request.shape))
    # One line for each field, however many entries of a list differ in it.
    return [
        {"path": request.path, "field": field, "difference": difference} for field, difference in dict.fromkeys(found)
    ]
