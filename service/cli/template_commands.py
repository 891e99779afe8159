"""The commands of `python -m service templates`: check, set, show and try a project's own templates."""

import argparse
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from service.cli.commands import CheckFailed, NotFound, UsageError, database, find_project
from service.cli.findings import Finding, listing
from service.cli.mails import letter_drafts
from service.cli.mails.letter_drafts import LetterDraft
from service.cli.tables import Listing
from service.db import Pool
from service.settings import Settings
from service.store import template_overrides, tokens
from service.store.outbox_claims import Claim
from service.store.projects import Project
from service.store.template_overrides import ANY, TemplateOverride, TooManyOverrides
from service.template_overrides import checks
from service.template_overrides.language import OverrideFault
from service.template_overrides.values import PARTS, SOURCE_SIZES, VALUES, Part, of_part

_COLUMNS: dict[Part, str] = {"subject": "subject", "text": "body_text", "html": "body_html"}
# In the subject of a letter that is sent for a look at it.
_TEST = "[Test] "


async def list_templates(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        if arguments.project is not None:
            await find_project(pool, arguments.project)
        rows = await template_overrides.list_all(pool, project_id=arguments.project)
    return Listing([_summary(row) for row in rows], ("project", "letter", "locale", "parts", "faults", "changed_at"))


def _summary(row: TemplateOverride) -> dict[str, Any]:
    return {
        "project": row.project_id, "letter": row.letter, "locale": row.locale, "changed_at": row.changed_at,
        "parts": [f"{part} ({len(source.encode())} bytes)" for part, source in row.sources().items() if source],
        "faults": _faults(row),
    }  # fmt: skip


def _faults(row: TemplateOverride) -> list[str]:
    """List parts that the rules of this release don't allow any more."""
    found = []
    for part, source in row.sources().items():
        try:
            if source:
                checks.check(source, letter=row.letter, part=part)
        except OverrideFault as fault:
            found.append(f"{part}: {fault}")
    return found


async def show(arguments: argparse.Namespace, settings: Settings) -> object:
    async with database(settings) as pool:
        draft = await _draft(pool, arguments, settings)
        row = await _own(pool, arguments, [arguments.locale])
    ours = asdict(arguments.previews().our_sources(draft.claim, seconds=draft.seconds))
    own = row.sources() if row else dict.fromkeys(PARTS)
    sources: dict[str, str] = {part: own[part] or ours[part] for part in PARTS}
    if arguments.part:
        return _as_it_is(arguments, sources[arguments.part])
    return {
        "project": arguments.project, "letter": arguments.letter, "locale": arguments.locale,
        "own": [part for part in PARTS if own[part]], "values": sorted(VALUES[arguments.letter]),
        "values_of_subject": sorted(of_part(arguments.letter, "subject")), **sources,
    }  # fmt: skip


def _as_it_is(arguments: argparse.Namespace, text: str) -> object:
    """Print a part so that it can go into a file; in JSON it is a string."""
    if arguments.json:
        return {arguments.part: text}
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    return None


async def set_parts(arguments: argparse.Namespace, settings: Settings) -> object:
    sources = _sources(arguments)
    for part, source in sources.items():
        try:
            checks.check(source, letter=arguments.letter, part=part)
        except OverrideFault as fault:
            raise UsageError(f"{part}: {fault}") from None
    place = {"letter": arguments.letter, "locale": arguments.locale}
    columns = {_COLUMNS[part]: source for part, source in sources.items()}
    async with database(settings) as pool:
        draft = await _draft(pool, arguments, settings)
        alone = TemplateOverride(
            arguments.project, arguments.letter, arguments.locale,
            sources.get("subject"), sources.get("text"), sources.get("html"), draft.claim.created_at,
        )  # fmt: skip
        try:  # with the project's own name, footer and logo, which the check does not know
            draft.preview(arguments, alone)
            await template_overrides.change(pool, arguments.project, **place, **columns)
        except (OverrideFault, TooManyOverrides) as fault:
            raise UsageError(f"for {draft.claim.project_name}: {fault}") from None
        row = await _own(pool, arguments, [arguments.locale])
    return _summary(row) if row else None


def _sources(arguments: argparse.Namespace) -> dict[Part, str]:
    """Read the files that were named. Raises UsageError."""
    files: dict[Part, str] = {part: file for part in PARTS if (file := getattr(arguments, part)) is not None}
    if not files:
        raise UsageError("nothing to set: --subject, --text or --html with a file")
    if list(files.values()).count("-") > 1:
        raise UsageError("standard input holds one part")
    sources = {part: _source(file, SOURCE_SIZES[part]) for part, file in files.items()}
    return {part: source.strip() if part == "subject" else source for part, source in sources.items()}


def _source(file: str, size: int) -> str:
    """Read a file of UTF-8, or so much of it that it is seen to be too large. Raises UsageError."""
    most = 2 * size + 4  # with a byte order mark, and line ends of two characters
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(most)
        else:
            with Path(file).open("rb") as opened:
                raw = opened.read(most)
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as fault:
        raise UsageError(f"{file}: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8") from None


async def reset(arguments: argparse.Namespace, settings: Settings) -> object:
    locale = None if arguments.all else arguments.locale
    async with database(settings) as pool:
        await find_project(pool, arguments.project)
        gone = await template_overrides.delete(
            pool, arguments.project, letter=arguments.letter, locale=locale, part=arguments.part
        )
    if not gone:
        what = f"{arguments.letter} {arguments.part}" if arguments.part else arguments.letter
        raise NotFound(f"{arguments.project} has no own {what} for {locale or 'any locale'}")
    return {"project": arguments.project, "letter": arguments.letter, "reset": gone}


async def preview(arguments: argparse.Namespace, settings: Settings) -> object:
    _, letter = await _rendered(arguments, settings)
    parts = asdict(letter)
    return _as_it_is(arguments, parts[arguments.part]) if arguments.part else parts


async def send_test(arguments: argparse.Namespace, settings: Settings) -> object:
    draft, letter = await _rendered(arguments, settings)
    marked = replace(letter, subject=_TEST + letter.subject)
    sent = await letter_drafts.send(arguments, settings, draft.letter, letter=marked)
    if not isinstance(sent, Finding):
        sent = Finding("letter", sent.state, f"{sent.relay} {sent.step}: {sent.message}")
    answer = listing([sent])
    if sent.state == "fail":
        raise CheckFailed(answer)
    return answer


async def _rendered(arguments: argparse.Namespace, settings: Settings) -> tuple["_Draft", Any]:
    """Render the letter that readers of a locale get, with invented values. Raises NotFound, CheckFailed."""
    locales = [ANY] if arguments.locale == ANY else template_overrides.locales_for(arguments.locale)
    async with database(settings) as pool:
        draft = await _draft(pool, arguments, settings)
        override = await _own(pool, arguments, locales)
    try:
        return draft, draft.preview(arguments, override)
    except OverrideFault as fault:
        raise CheckFailed(listing([Finding("template", "fail", f"{fault}; workers send ours")])) from None


async def _own(pool: Pool, arguments: argparse.Namespace, locales: list[str]) -> TemplateOverride | None:
    _, found = await template_overrides.find(pool, arguments.project, letter=arguments.letter, locales=locales)
    return found


@dataclass(frozen=True, slots=True)
class _Draft:
    """A letter to nobody, and how long its link works."""

    letter: LetterDraft
    seconds: int

    @property
    def claim(self) -> Claim:
        return self.letter.claim

    def preview(self, arguments: argparse.Namespace, override: TemplateOverride | None) -> Any:
        return arguments.previews().preview(self.claim, override, logo=self.letter.logo, seconds=self.seconds)


async def _draft(pool: Pool, arguments: argparse.Namespace, settings: Settings) -> _Draft:
    """Make a draft of the letter. Raises NotFound."""
    project = await find_project(pool, arguments.project)
    letter = await letter_drafts.make(
        pool,
        project.id,
        letter=arguments.letter,
        recipient=getattr(arguments, "to", None) or "ann@example.com",
        settings=settings,
        locale="" if arguments.locale == ANY else arguments.locale,
    )
    return _Draft(letter, _lifetime(project, arguments.letter))


def _lifetime(project: Project, letter: str) -> int:
    """Return how many seconds the link or code of a letter works."""
    if letter.startswith("otp"):
        return project.otp_seconds
    return {
        "magic_url": project.magic_url_seconds, "mfa_challenge": project.otp_seconds,
        "recovery": project.recovery_seconds, "verification": project.verification_seconds,
    }.get(letter, tokens.UNDO_SECONDS)  # fmt: skip
