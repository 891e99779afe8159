"""Changing commands: retry mails, or cancel them."""

import argparse
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

from service.cli.commands import UsageError, database, find_project
from service.cli.exit_codes import MISSING
from service.cli.mails import filters
from service.cli.mails.output import REFUSED, CommandResult
from service.db import Connection, Pool, transaction
from service.queue import RECORD_LOG, SEND_MAIL, JobQueue, connect
from service.settings import DatastoreSettings
from service.store import events, outbox_admin, users
from service.store.outbox_admin import ActionResult, MailFilter

# The result for each mail, and the events that can be filed now.
Outcome = tuple[list[ActionResult], list[UUID]]
Action = Callable[[Connection, list[UUID]], Awaitable[Outcome]]
# Mails in one transaction, well within a statement's time.
_BATCH = 200
# Jobs in one call; the poller finds the rest, and the operator need not wait for very many.
_ENQUEUE_BATCH = 50
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
}


class _RolledBack(Exception):
    """Rolls back the transaction of a dry run."""


async def retry(arguments: argparse.Namespace, settings: DatastoreSettings) -> CommandResult:
    """Make mails due at once, and enqueue them."""
    return await _steer(arguments, settings, _retry, word="retried", usual=["pending", "failed"])


async def cancel(arguments: argparse.Namespace, settings: DatastoreSettings) -> CommandResult:
    """Cancel mails that are still to be sent."""
    return await _steer(arguments, settings, _cancel, word="cancelled", usual=["pending"])


async def _steer(
    arguments: argparse.Namespace, settings: DatastoreSettings, act: Action, *, word: str, usual: list[str]
) -> CommandResult:
    found: list[ActionResult] = []
    filed: list[UUID] = []
    async with database(settings) as pool:
        async for batch in _batches(pool, arguments, usual):
            steered, settled = await _act(pool, act, batch, dry_run=arguments.dry_run)
            found += steered
            filed += settled
    done = [each.id for each in found if each.verdict == "done"]
    if not arguments.dry_run:
        await _enqueue(settings, done if word == "retried" else [], filed)
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


async def _act(pool: Pool, act: Action, mails: list[UUID], *, dry_run: bool) -> Outcome:
    outcome: Outcome = [], []
    with contextlib.suppress(_RolledBack):
        async with transaction(pool) as tx:
            outcome = await act(tx, mails)
            if dry_run:
                raise _RolledBack
    return outcome


async def _retry(tx: Connection, mails: list[UUID]) -> Outcome:
    return await outbox_admin.retry(tx, mails), []


async def _cancel(tx: Connection, mails: list[UUID]) -> Outcome:
    steered = await outbox_admin.cancel(tx, mails)
    return steered, [event for each in steered for event in await _file_event(tx, each)]


async def _file_event(tx: Connection, mail: ActionResult) -> list[UUID]:
    """Release the event of a request by address: it waits for the worker to find its user, which now none will."""
    if mail.verdict != "done" or not (mail.unowned_token and mail.project_id and mail.recipient):
        return []
    user = await users.find_by_email(tx, mail.project_id, email=mail.recipient)
    owner = user.id if user and user.status != "blocked" else None
    return await events.assign_user(tx, mail.project_id, token_id=mail.unowned_token, user_id=owner)


async def _enqueue(settings: DatastoreSettings, mails: list[UUID], filed: list[UUID]) -> None:
    redis = connect(settings.redis_url.get_secret_value())
    job_queue = JobQueue(redis)
    try:
        for function, rows in ((SEND_MAIL, mails), (RECORD_LOG, filed)):
            for row in rows[:_ENQUEUE_BATCH]:
                await job_queue.enqueue(function, row)
                if job_queue.failed_enqueues:
                    return
    finally:
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
