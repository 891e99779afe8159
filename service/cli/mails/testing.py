"""`python -m service mails test`: try the relays and the sender's DNS records, and send a letter to see it arrive."""

import argparse
from typing import TYPE_CHECKING, Any

from service.cli import arguments as kinds
from service.cli.commands import CheckFailed, add_command, database, find_project
from service.cli.doctor import mail_checks
from service.cli.findings import Finding, listing
from service.cli.mails import letter_drafts
from service.cli.mails.letter_drafts import LetterDraft

if TYPE_CHECKING:
    from service.settings import Settings

_TEXT = (
    "try the relays step by step and look up the sender's SPF, DKIM and DMARC records; with --to send a test message"
)
_EXITS = (
    "Exit codes: 0 nothing failed, 2 wrong words, 4 no such project, 5 the settings are unfit, 6 no database, 7 failed."
)


def add(words: Any) -> None:
    test = add_command(words, "test", _test, _TEXT)
    test.epilog = _EXITS
    test.add_argument("--to", type=kinds.recipient, metavar="ADDRESS", help="send a test message there")
    test.add_argument(
        "--project",
        metavar="ID",
        help="with its sender and its own SMTP server; MAIL_FROM and SMTP_URL if not given",
    )
    mail_checks.add_options(test)


async def _test(arguments: argparse.Namespace, settings: "Settings") -> object:
    draft = await _draft(arguments, settings)
    steps = await mail_checks.try_relays(arguments, settings, draft.relay)
    domain = (draft.claim.sender_address or settings.mail_from).rpartition("@")[2]
    names = await mail_checks.check_names(arguments, settings, {domain: draft.dkim_keys})
    if isinstance(steps, Finding):
        found = [steps, *names]
    else:
        # The operator asks whether a letter can be sent now, so a relay that is away has failed.
        found = [*(mail_checks.of_step(step, None if step.passed else "fail") for step in steps), *names]
        if arguments.to and {step.relay for step in steps} - {step.relay for step in steps if not step.passed}:
            found.append(await _send(arguments, settings, draft))
        elif arguments.to:  # nor tried again: each wrong password counts towards a lockout
            found.append(Finding("letter", "fail", "not sent: no relay lets us in"))
    if any(each.state == "fail" for each in found):
        raise CheckFailed(listing(found))
    return listing(found)


async def _draft(arguments: argparse.Namespace, settings: "Settings") -> LetterDraft:
    """Make the test message. Raises NotFound for an unknown project."""
    recipient, project_id = arguments.to or settings.mail_from, arguments.project or ""
    async with database(settings) as pool:
        if project_id:
            await find_project(pool, project_id)
        return await letter_drafts.make(pool, project_id, letter="relay_test", recipient=recipient, settings=settings)


async def _send(arguments: argparse.Namespace, settings: "Settings", draft: LetterDraft) -> Finding:
    sent = await letter_drafts.send(arguments, settings, draft)
    if isinstance(sent, Finding):
        return sent
    if sent.passed:
        sender = draft.claim.sender_address or settings.mail_from
        text = f"{sent.relay} accepted it from {sender}: {sent.message}; see whether it arrives, and not as junk"
        return Finding("letter", "ok", text)
    return Finding("letter", sent.state, f"not sent, {sent.relay} {sent.step}: {sent.message}")
