"""`python -m testkit.gallery FOLDER`: every letter and hosted page in each language and state, with an index.

For those who write, translate or design them. A letter is written as HTML and as text. `--screenshots` adds pictures of
the HTML at the width of a desktop and of a phone, light and dark, by the browser of the tests; `--language`, `--letter`
and `--page` choose some only.
"""

import argparse
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from testkit.images import DARK_LOGO
from testkit.node import node
from testkit.page_gallery import HostedPage, hosted_pages
from testkit.processes import ROOT
from worker.mail import templates
from worker.mail.branding import Branding
from worker.mail.facts import CHANGES
from worker.mail.templates import Letter

PICTURES = ROOT / "tests" / "sdk_compat" / "drivers" / "pictures.mjs"
WIDTHS = (700, 375)
SCHEMES = ("light", "dark")
PROJECT = Branding("Shop")
# A browser has no attachments: the gallery's letters hold the logo themselves.
_LOGO_CID = "logo@shop.example"
LOGO = f"data:image/svg+xml;base64,{b64encode(DARK_LOGO.encode()).decode()}"
BRANDED = Branding("Shop", "#ffb300", "help@shop.example", "Shop Ltd, 1 High Street, Exampleton", _LOGO_CID)
_SENT = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
_REQUEST = {
    "era": "modern", "recipient": "ann@example.com", "zone": "Europe/Berlin", "requested_at": _SENT,
    "ip": "192.0.2.1", "device": "Firefox 130.0, Windows 11",
}  # fmt: skip
# To a page of the service, and to a page of the app, whose secret has the length that its contract has.
_SHORT = "https://accounts.shop.example/auth/{}?project=shop&secret=AZrgZ2a0c7Gq3mJ5xk2V1uYw8dNfBtLh4RsK"
_LONG = "https://shop.example/account?userId=6754f8c9000a1b2c3d4e&secret=" + "0f" * 128 + "&expire=2026-11-23"
_PATHS = {
    "email_changed": "email-undo", "invitation": "invitation", "magic_url": "magic-url",
    "new_device": "disavowal", "password_changed": "disavowal",
    "recovery": "recovery", "verification": "verification",
}  # fmt: skip
_LIFETIMES = {
    "verification": 7 * 86_400, "invitation": 7 * 86_400, "otp": 600, "otp_recovery": 600,
    "otp_verification": 600, "mfa_challenge": 600,
    "email_changed": 72 * 3_600, "password_changed": 72 * 3_600, "new_device": 72 * 3_600,
    "security_changed": 72 * 3_600,
}  # fmt: skip
NOTICES = ("email_changed", "new_device", "password_changed", "security_changed")


@dataclass(frozen=True, slots=True)
class Page:
    """One letter in one language and state."""

    language: str
    name: str
    state: str
    letter: Letter

    @property
    def path(self) -> str:
        return f"{self.language}/{self.name}-{self.state}"


def states(letter: str) -> Iterator[tuple[str, Branding, dict[str, Any]]]:
    """List the states of a letter, the usual one first: its name, the project's branding, the facts."""
    seconds = _LIFETIMES.get(letter, 3_600)
    secret: dict[str, Any] = {"expires": _SENT + timedelta(seconds=seconds), "lifetime_seconds": seconds}
    if letter.startswith("otp") or letter == "mfa_challenge":
        secret |= {"code": "012345", "code_host": "shop.example"}
    elif letter in _PATHS:
        secret["link"] = _SHORT.format(_PATHS[letter])
    if letter.startswith("otp") or letter == "magic_url":
        secret["phrase"] = "Silent Fox"
    if letter == "security_changed":
        secret |= {"change": "recovery_code_used", "left": 7}
    full = _REQUEST | secret
    yield "full", PROJECT, full
    own = {} if letter in NOTICES or "link" not in full else {"link": _LONG}
    yield "legacy", PROJECT, full | own | {"era": "legacy", "phrase": None}
    yield "unknown-device", PROJECT, full | {"device": None, "zone": None}
    yield "branded", BRANDED, full
    if letter in NOTICES:
        yield "without-link", PROJECT, _REQUEST
    if letter == "security_changed":
        for change in CHANGES:
            yield change.replace("_", "-"), PROJECT, full | {"change": change}
    if letter == "password_changed":
        yield "passkeys", PROJECT, full | {"passkeys": 2}
    if letter in ("recovery", "verification", "magic_url"):
        yield "app", PROJECT, full | {"link": "shop-app://account?secret=" + "0f" * 128}


def pages(*, languages: list[str] | None = None, letters: list[str] | None = None) -> Iterator[Page]:
    """Render all letters, or those named, in all languages, or those named."""
    opened = templates.load_templates()
    for language in languages or opened.catalogues:
        for name in letters or opened.letters:
            for state, branding, facts in states(name):
                yield _page(language, name, state, branding, facts)


def usual_pages(language: str) -> Iterator[Page]:
    """Render all letters in their usual state."""
    for name in templates.load_templates().letters:
        yield _page(language, name, *next(states(name)))


def _page(language: str, name: str, state: str, branding: Branding, facts: dict[str, Any]) -> Page:
    letter = templates.render(name, locale=language, branding=branding, **facts)
    return Page(language, name, state, replace(letter, html=letter.html.replace(f"cid:{_LOGO_CID}", LOGO)))


def write(folder: Path, letters: Sequence[Page], hosted: Sequence[HostedPage] = ()) -> None:
    """Write the letters, the hosted pages and, last, their index."""
    for page in (*letters, *hosted):
        (folder / page.path).parent.mkdir(parents=True, exist_ok=True)
    for page in letters:
        (folder / f"{page.path}.html").write_text(page.letter.html)
        (folder / f"{page.path}.txt").write_text(f"Subject: {page.letter.subject}\n\n{page.letter.text}")
    for shown in hosted:
        (folder / f"{shown.path}.html").write_text(shown.html)
    (folder / "index.html").write_text(index(letters, hosted))


def index(letters: Sequence[Page], hosted: Sequence[HostedPage]) -> str:
    of_letters = "\n".join(
        f'<tr><td>{page.language}<td>{page.name}<td>{page.state}<td><a href="{page.path}.html">HTML</a> '
        f'<a href="{page.path}.txt">text</a><td dir="auto">{escape(page.letter.subject)}'
        for page in letters
    )
    of_pages = "\n".join(
        f'<tr><td>{page.language}<td>{page.name}<td>{page.state}<td><a href="{page.path}.html">HTML</a>'
        for page in hosted
    )
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width"><title>Letters and pages</title>'
        "<style>body{font:16px/1.5 system-ui;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:start}</style>"
        f"<h1>Letters</h1><table><tr><th>Language<th>Letter<th>State<th>Parts<th>Subject\n{of_letters}</table>"
        f"<h1>Pages</h1><table><tr><th>Language<th>Page<th>State<th>Parts\n{of_pages}</table></html>\n"
    )


def take_pictures(folder: Path, shown: Sequence[Page | HostedPage]) -> None:
    """Take a picture of each letter and page at each width and in each colour scheme, beside its HTML."""
    order = [
        {
            "page": str((folder / f"{page.path}.html").resolve()),
            "picture": str((folder / f"{page.path}-{width}-{scheme}.png").resolve()),
            "width": width,
            "scheme": scheme,
        }
        for page in shown
        for width in WIDTHS
        for scheme in SCHEMES
    ]
    subprocess.run([node(), str(PICTURES)], input=json.dumps(order), text=True, check=True)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m testkit.gallery", description="Write letters and pages into a folder."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--screenshots", action="store_true", help="take pictures, too; `./dev test` brings the browser"
    )
    parser.add_argument("--language", action="append", help="of this language only; may be repeated")
    parser.add_argument("--letter", action="append", default=[], help="this letter only; may be repeated")
    parser.add_argument("--page", action="append", default=[], help="this page only; may be repeated")
    options = parser.parse_args(arguments)
    everything = not options.letter and not options.page
    letters = list(pages(languages=options.language, letters=options.letter)) if everything or options.letter else []
    hosted = [
        page for page in hosted_pages(languages=options.language) if everything or page.name in options.page
    ]  # fmt: skip
    write(options.folder, letters, hosted)
    if options.screenshots:
        take_pictures(options.folder, [*letters, *hosted])
    print(f"{len(letters)} letters, {len(hosted)} pages: {options.folder / 'index.html'}")


if __name__ == "__main__":
    main(sys.argv[1:])
