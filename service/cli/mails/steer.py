"""Changing commands: retry mails, or cancel them."""

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from service.cli import confirmation
from service.cli.commands import UsageError, database, find_project
from service.cli.exit_codes import MISSING
from service.cli.mails import filters
from service.cli.mails.output import REFUSED, CommandResult
from service.db import Pool
from service.queue import JobQueue, connect
from service.store import events, outbox_admin, users
from service.store.outbox_admin import ActionResult, MailFilter
from service.store.unit_of_work import UnitOfWork, unit_of_work

if TYPE_CHECKING:
    from service.settings import DatastoreSettings

Action = Callable[[UnitOfWork, list[UUID]], Awaitable[list[ActionResult]]]
# Mails in one transaction, well within a statement's time.
_BATCH = 200
_SENTENCES = {
    "sending": "it is being sent",
    "busy": "a worker has it in hand at this moment",
    "late": "it is past its deadline",
    "dead_link": "its link was used, has expired or was made void",
    "no_account": "its account is gone",
    "unknown": "there is no such mail",
    "sent": "it was sent",
    "void": "no account has this address",
    "failed": "it has failed already",
    "expired": "it has expired already",
    "cancelled": "it is cancelled already",
    "suppressed": "its address is suppressed, and it has ended",
}


class _RolledBack(Exception):
    """Rolls back the transaction of a dry run."""


async def retry(arguments: argparse.Namespace, settings: "DatastoreSettings") -> CommandResult:
    """Make mails due at once, and enqueue them."""
    return await _steer(arguments, settings, outbox_admin.retry, word="retried", usual=["pending", "failed"])


async def cancel(arguments: argparse.Namespace, settings: "DatastoreSettings") -> CommandResult:
    """Cancel mails that are still to be sent."""
    if not arguments.dry_run:
        confirmation.ask(arguments, "Cancel all of these mails? --dry-run lists them.")
    return await _steer(arguments, settings, _cancel, word="cancelled", usual=["pending"])


async def _steer(
    arguments: argparse.Namespace, settings: "DatastoreSettings", act: Action, *, word: str, usual: list[str]
) -> CommandResult:
    found: list[ActionResult] = []
    async with database(settings) as pool, _queue(settings) as job_queue:
        async for batch in _batches(pool, arguments, usual):
            found += await _act(pool, job_queue, act, batch, dry_run=arguments.dry_run)
    return _result(found, word=word, dry_run=arguments.dry_run)


async def _batches(pool: Pool, arguments: argparse.Namespace, usual: list[str]) -> AsyncIterator[list[UUID]]:
    """Yield the named mails, or all that were chosen, oldest first. Raises UsageError and NotFound."""
    choice, named = filters.read(arguments), list(dict.fromkeys(arguments.mails))
    if bool(named) == (choice != MailFilter()):
        raise UsageError(
            "name mails by their ids, or say which by --state, --project, --letter, --older-than and so on"
        )
    if choice.project_id is not None:
        await find_project(pool, choice.project_id)
    if named:
        for start in range(0, len(named), _BATCH):
            yield named[start : start + _BATCH]
        return
    chosen = MailFilter(choice.states or usual, choice.project_id, choice.letter, choice.older, choice.newer)
    last = None
    while batch := await outbox_admin.select_ids(pool, chosen, after=last, most=_BATCH):
        yield batch
        last = batch[-1]


async def _act(pool: Pool, job_queue: JobQueue, act: Action, mails: list[UUID], *, dry_run: bool) -> list[ActionResult]:
    results: list[ActionResult] = []
    with suppress(_RolledBack):
        async with unit_of_work(pool, job_queue) as tx:
            results = await act(tx, mails)
            if dry_run:
                raise _RolledBack
    return results


async def _cancel(tx: UnitOfWork, mails: list[UUID]) -> list[ActionResult]:
    results = await outbox_admin.cancel(tx, mails)
    for mail in results:
        if mail.verdict == "done" and mail.unowned_token and mail.project_id and mail.recipient:
            # The event of a request by address waits for a worker to find its user, which now none will.
            user = await users.find_by_email(tx, mail.project_id, email=mail.recipient)
            owner = user.id if user and user.status != "blocked" else None
            await events.assign_user(tx, mail.project_id, token_id=mail.unowned_token, user_id=owner)
    return results


@asynccontextmanager
async def _queue(settings: "DatastoreSettings") -> AsyncIterator[JobQueue]:
    redis = connect(settings.redis_url.get_secret_value())
    job_queue = JobQueue(redis)
    try:
        yield job_queue
    finally:
        await job_queue.drain()
        await redis.aclose(close_connection_pool=True)


def _result(found: list[ActionResult], *, word: str, dry_run: bool) -> CommandResult:
    done = [str(each.id) for each in found if each.verdict == "done"]
    refused = [each for each in found if each.verdict != "done"]
    data: dict[str, Any] = {
        word: done,
        "refused": [{"id": str(each.id), "verdict": each.verdict, "why": _why(each)} for each in refused],
        "dry_run": dry_run,
    }
    missing = any(each.verdict == "unknown" for each in refused)
    code = (MISSING if missing else REFUSED) if refused else 0
    lines = [f"{'would be ' if dry_run else ''}{word}: {len(done)}", *(f"  {each}" for each in done)]
    if refused:
        lines += [f"not {word}: {len(refused)}", *(f"  {each.id}: {_why(each)}" for each in refused)]
    return CommandResult(data, lines, code)


def _why(mail: ActionResult) -> str:
    return _SENTENCES[mail.verdict]
