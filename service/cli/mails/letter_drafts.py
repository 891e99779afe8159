"""Letters that an operator sends by hand: no mail of the outbox, but with the look and the relay of their project."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.cli.findings import Finding
from service.crypto.sealing import CannotUnseal
from service.db import Executor
from service.store import dkim_keys, outbox_claims, project_relays
from service.store.branding import Logo, LogoCache
from service.store.dkim_keys import DkimKey
from service.store.outbox_claims import Claim
from service.store.project_relays import ProjectRelay

if TYPE_CHECKING:
    from service.cli.doctor.mail_checks import Step
    from service.settings import Settings


@dataclass(frozen=True, slots=True)
class LetterDraft:
    """A letter with its project's logo and DKIM keys, and the project's own SMTP server, if there is one."""

    claim: Claim
    logo: Logo | None
    relay: ProjectRelay | None
    dkim_keys: list[DkimKey]


async def make(
    conn: Executor, project_id: str, *, letter: str, recipient: str, settings: "Settings", locale: str = ""
) -> LetterDraft:
    """Make a draft; an empty project is none, whose letters come from MAIL_FROM."""
    claim = await outbox_claims.draft(
        conn, project_id, letter=letter, recipient=recipient, sender=settings.mail_from, locale=locale
    )
    logo = await LogoCache(conn).find(project_id, claim.logo_digest) if claim.logo_digest else None
    keys = await dkim_keys.list_all(conn, project_id) if claim.dkim else []
    return LetterDraft(claim, logo, await project_relays.find(conn, project_id), keys)


async def send(
    arguments: argparse.Namespace, settings: "Settings", draft: LetterDraft, **more: object
) -> "Step | Finding":
    """Send a draft; a finding instead where a setting prevents it."""
    try:
        sent: Step = await arguments.send_letter(
            draft.claim, settings, logo=draft.logo, own=draft.relay, keys=draft.dkim_keys, **more
        )
    except (ValueError, OSError, CannotUnseal) as fault:
        return Finding("letter", "fail", f"not sent, {fault}")
    return sent
