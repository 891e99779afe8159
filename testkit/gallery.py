"""`python -m testkit.gallery FOLDER`: every letter in each language and state, as HTML and as text, with an index.

For those who write, translate or design letters. `--screenshots` adds pictures of the HTML part at the width of a
desktop and of a phone, light and dark, by the browser of the tests; `--language` and `--letter` choose some only.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from testkit.node import node
from testkit.processes import ROOT
from worker.mail import templates
from worker.mail.branding import Branding
from worker.mail.templates import Letter

PICTURES = ROOT / "tests" / "sdk_compat" / "drivers" / "pictures.mjs"
WIDTHS = (700, 375)
SCHEMES = ("light", "dark")
PROJECT = Branding("Shop")
BRANDED = Branding("Shop", "#ffb300", "help@shop.example", "Shop Ltd, 1 High Street, Exampleton")
_SENT = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
_REQUEST = {
    "era": "modern", "recipient": "ann@example.com", "zone": "Europe/Berlin", "requested_at": _SENT,
    "ip": "192.0.2.1", "device": "Firefox 130.0, Windows 11",
}  # fmt: skip
_LINK = "https://shop.example/account?userId=6754f8c9000a1b2c3d4e&secret=" + "0f" * 128 + "&expire=2026-11-23"
_LIFETIMES = {"verification": 7 * 86_400, "otp": 900, "email_changed": 72 * 3_600, "password_changed": 72 * 3_600,
              "new_device": 72 * 3_600}  # fmt: skip
NOTICES = ("email_changed", "new_device", "password_changed")


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
    if letter == "otp":
        secret |= {"code": "012345", "code_host": "shop.example"}
    elif letter != "already_registered":
        secret["link"] = _LINK
    if letter in ("otp", "magic_url"):
        secret["phrase"] = "Silent Fox"
    full = _REQUEST | secret
    yield "full", PROJECT, full
    yield "legacy", PROJECT, full | {"era": "legacy", "phrase": None}
    yield "unknown-device", PROJECT, full | {"device": None, "zone": None}
    yield "branded", BRANDED, full
    if letter in NOTICES:
        yield "without-link", PROJECT, _REQUEST
    if letter in ("recovery", "verification", "magic_url"):
        yield "app", PROJECT, full | {"link": "shop-app://account?secret=" + "0f" * 128}


def pages(*, languages: list[str] | None = None, letters: list[str] | None = None) -> Iterator[Page]:
    """Render all letters, or those named, in all languages, or those named."""
    opened = templates.load_templates()
    for language in languages or sorted(catalogue.language for catalogue in opened.catalogues.values()):
        for name in letters or opened.letters:
            for state, branding, facts in states(name):
                yield Page(language, name, state, templates.render(name, locale=language, branding=branding, **facts))


def write(folder: Path, shown: list[Page]) -> None:
    """Write the letters and their index."""
    for page in shown:
        path = folder / page.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name + ".html").write_text(page.letter.html)
        path.with_name(path.name + ".txt").write_text(f"Subject: {page.letter.subject}\n\n{page.letter.text}")
    (folder / "index.html").write_text(index(shown))


def index(shown: list[Page]) -> str:
    rows = "\n".join(
        f'<tr><td>{page.language}<td>{page.name}<td>{page.state}<td><a href="{page.path}.html">HTML</a> '
        f'<a href="{page.path}.txt">text</a><td dir="auto">{escape(page.letter.subject)}'
        for page in shown
    )
    head = "<tr><th>Language<th>Letter<th>State<th>Parts<th>Subject"
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width"><title>Letters</title>'
        "<style>body{font:16px/1.5 system-ui;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:start}</style>"
        f"<h1>Letters</h1><table>{head}\n{rows}</table></html>\n"
    )


def take_pictures(folder: Path, shown: list[Page]) -> None:
    """Take a picture of each letter at each width and in each colour scheme, beside the letter."""
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
    parser = argparse.ArgumentParser(prog="python -m testkit.gallery", description="Write every letter into a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--screenshots", action="store_true", help="take pictures, too; `./dev test` brings the browser"
    )
    parser.add_argument("--language", action="append", help="of this language only; may be repeated")
    parser.add_argument("--letter", action="append", help="this letter only; may be repeated")
    options = parser.parse_args(arguments)
    shown = list(pages(languages=options.language, letters=options.letter))
    write(options.folder, shown)
    if options.screenshots:
        take_pictures(options.folder, shown)
    print(f"{len(shown)} letters: {options.folder / 'index.html'}")


if __name__ == "__main__":
    main(sys.argv[1:])
