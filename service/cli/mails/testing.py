"""`python -m service mails test`: try the relays and the sender's DNS records, and send a letter to see it arrive."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service import email_addresses
from service.cli import mail_checks
from service.cli.commands import CheckFailed, add_command, database, find_project
from service.cli.findings import Finding, listing
from service.store import outbox, project_relays
from service.store.branding import Logo, LogoCache
from service.store.outbox import Claim
from service.store.project_relays import ProjectRelay

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
    test.add_argument("--to", type=_recipient, metavar="ADDRESS", help="send a test message there")
    test.add_argument(
        "--project",
        metavar="ID",
        help="with its sender and its own SMTP server; MAIL_FROM and SMTP_URL if not given",
    )
    mail_checks.add_options(test)


def _recipient(text: str) -> str:
    try:
        return email_addresses.canonical(text, special_use=True)
    except ValueError:
        raise argparse.ArgumentTypeError("an address such as ann@example.com") from None


@dataclass(frozen=True, slots=True)
class _Trial:
    """The test message, its logo, and the SMTP server of the project's own, which sends it then."""

    draft: Claim
    logo: Logo | None
    own: ProjectRelay | None


async def _test(arguments: argparse.Namespace, settings: "Settings") -> object:
    trial = await _trial(arguments, settings)
    steps = await mail_checks.try_relays(arguments, settings, trial.own)
    names = await mail_checks.check_names(arguments, settings, [trial.draft.sender_address or settings.mail_from])
    if isinstance(steps, Finding):
        found = [steps, *names]
    else:
        # The operator asks whether a letter can be sent now, so a relay that is away has failed.
        found = [*(mail_checks.of_step(step, None if step.passed else "fail") for step in steps), *names]
        if arguments.to and {step.relay for step in steps} - {step.relay for step in steps if not step.passed}:
            found.append(await _send(arguments, settings, trial))
        elif arguments.to:  # nor tried again: each wrong password counts towards a lockout
            found.append(Finding("letter", "fail", "not sent: no relay lets us in"))
    if any(each.state == "fail" for each in found):
        raise CheckFailed(listing(found))
    return listing(found)


async def _trial(arguments: argparse.Namespace, settings: "Settings") -> _Trial:
    """Make the test message. Raises NotFound for an unknown project."""
    async with database(settings) as pool:
        if arguments.project is not None:
            await find_project(pool, arguments.project)
        recipient, project_id = arguments.to or settings.mail_from, arguments.project or ""
        draft = await outbox.draft(
            pool, project_id, letter="relay_test", recipient=recipient, sender=settings.mail_from
        )
        logo = await LogoCache(pool).find(project_id, draft.logo_digest) if draft.logo_digest else None
        return _Trial(draft, logo, await project_relays.find(pool, project_id))


async def _send(arguments: argparse.Namespace, settings: "Settings", trial: _Trial) -> Finding:
    draft = trial.draft
    try:
        sent: mail_checks.Step = await arguments.send_letter(draft, settings, logo=trial.logo, own=trial.own)
    except ValueError as fault:
        return Finding("letter", "fail", f"not sent, {fault}")
    if sent.passed:
        sender = draft.sender_address or settings.mail_from
        text = f"{sent.relay} accepted it from {sender}: {sent.message}; see whether it arrives, and not as junk"
        return Finding("letter", "ok", text)
    return Finding("letter", sent.state, f"not sent, {sent.relay} {sent.step}: {sent.message}")
