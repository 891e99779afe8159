"""HTML and CSS of the letters against what mail programs support (tests/unit/data/mail_client_support.json).

The data are caniemail's, of the programs that most readers have. New HTML or CSS in a letter needs its line there.
"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from testkit.gallery import Page, pages
from worker.mail.templates import TEMPLATES

SUPPORT = json.loads((Path(__file__).parent / "data" / "mail_client_support.json").read_text())["features"]
# As old as HTML mail itself, so that nobody lists them; `mso-` is for Outlook alone and unknown to the others.
ALWAYS = {
    "html", "head", "meta", "title", "a", "br", "b", "tbody", "tr", "td", "color", "margin", "mso-padding-alt",
    "class", "charset", "content", "name", "href", "src", "alt", "border", "bgcolor", "style",
}  # fmt: skip
NAMES = {
    "tag": {"h1": "html-h1-h6", "b": "html-strong"},
    "property": {
        "border-color": "css-border", "border-top": "css-border", "font-family": "css-font",
        "padding-left": "css-padding",
        "supported-color-schemes": "css-color-scheme",
    },
    "attribute": {"cellpadding": "html-cellpadding"},
}  # fmt: skip
# What a reader gets where a feature is missing or works in part. Nothing may be lost but looks.
FALLBACKS = {
    "css-at-media": "the phone gets the desktop's padding; the column is fluid without it",
    "css-at-media-prefers-color-scheme": "the letter stays light, or the program darkens it by itself",
    "css-border": "Outlook draws borders on cells, which is where ours are",
    "css-border-radius": "square corners",
    "css-color-scheme": "the letter stays light, or the program darkens it by itself",
    "css-display": "the label is inline; its cell has the padding (mso-padding-alt) and the colour",
    "css-display-none": "the preheader is one pixel high and has the page's colour",
    "css-font-size": "units other than px are what some lack",
    "css-font-weight": "numbers are what some lack; we say bold",
    "css-height": "the logo has the attribute too",
    "css-important": "only in dark.css, for programs that know media queries",
    "css-letter-spacing": "the code stands closer",
    "css-line-height": "lines stand closer",
    "css-margin": "`auto` and negative margins are what some lack; align=center does the same",
    "css-max-height": "the preheader is one pixel high and has the page's colour",
    "css-max-width": "Outlook gets a table of 560 pixels by a conditional comment",
    "css-overflow": "the preheader is one pixel high and has the page's colour",
    "css-padding": "on cells everywhere; elsewhere only air is lost",
    "css-selector-class": "all that matters is inlined",
    "css-selector-grouping": "all that matters is inlined",
    "css-sytem-ui": "Segoe UI, Roboto, Helvetica, Arial",
    "css-text-align": "start and end are what some lack; we use the attribute",
    "css-text-decoration": "the label is underlined",
    "css-width": "tables have the attribute too",
    "css-word-break": "the bare link is wide; the button above it is not",
    "html-align": "text starts at the side of its direction anyway",
    "html-bdi": "names in the letter's own script are shown the same",
    "html-body": "the outer table has the page's colour, language and direction too",
    "html-cellpadding": "not tested there; cells have their own padding",
    "html-cellspacing": "not tested there",
    "html-comments": "not tested there; only Outlook needs ours",
    "html-dir": "the text runs in its own direction by its letters",
    "html-doctype": "no rule of ours depends on the mode",
    "html-height": "the logo has the style too",
    "html-img": "not tested there; without the logo its text is shown",
    "html-lang": "screen readers use the reader's own language",
    "html-meta-color-scheme": "the letter stays light, or the program darkens it by itself",
    "html-role": "screen readers count a table",
    "html-style": "all that matters is inlined",
    "html-width": "only numbers and per cent, which all know",
}


class Features(HTMLParser):
    """Collects the features of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = {"html-doctype", "html-comments"}
        self.feed(html)

    def add(self, kind: str, name: str) -> None:
        prefix = "css" if kind == "property" else "html"
        feature = NAMES[kind].get(name, f"{prefix}-{name}")
        if name not in ALWAYS or feature in SUPPORT:
            self.found.add(feature)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.add("tag", tag)
        for name, value in attrs:
            if tag == "meta":
                self.found |= {"html-meta-color-scheme"} if value == "color-scheme" else set()
                continue
            self.add("attribute", name)
            if name == "style":
                self.add_rules(value or "")
            if name == "href" and (value or "").startswith("mailto:"):
                self.found.add("html-mailto-links")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            self.found |= {"css-selector-class", "css-selector-grouping"}
            self.found |= {
                "css-at-media" if "width" in rule else f"css-at-media-{rule}"
                for rule in re.findall(r"@media \((\S+?):", data)
            }
            for rules in re.findall(r"\{([^{}]*)\}", data):
                self.add_rules(rules)

    def add_rules(self, rules: str) -> None:
        for rule in filter(None, map(str.strip, rules.split(";"))):
            name, value = (part.strip() for part in rule.split(":", 1))
            self.add("property", name)
            self.found |= {
                f"css-unit-{'percent' if unit == '%' else unit}"
                for unit in re.findall(r"\b\d+(px|em|rem|vw|vh|pt|%)", value)
            }
            self.found |= {"css-important"} if "!important" in value else set()
            self.found |= {"css-display-none"} if (name, value) == ("display", "none") else set()
            self.found |= {"css-sytem-ui"} if "system-ui" in value else set()


ALL = list(pages())


def test_every_feature_is_supported_or_has_a_fallback() -> None:
    """Mail programs know what our letters use, or the reader gets the fallback that is named here."""
    used = set().union(
        *(Features(page.letter.html).found for page in ALL),
        Features('<img class="logo" style="display: block;height: 40px;border: 0;" height="40">').found,
    )
    assert used - SUPPORT.keys() == set()
    lacking = {name for name in used if set(SUPPORT[name].values()) - {"y"}}
    assert lacking - FALLBACKS.keys() == set()
    assert FALLBACKS.keys() - lacking == set(), "a fallback for what is not used or not lacking"
    assert SUPPORT.keys() - used == set(), "data of what is not used"


def test_the_stylesheet_selects_by_class_alone() -> None:
    """A template file is inlined by itself: a selector that needs another file's elements would find nothing."""
    css = re.sub(r"/\*.*?\*/", "", (TEMPLATES / "base" / "letter.css").read_text(), flags=re.DOTALL)
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", css)
    assert selectors
    assert [selector for selector in selectors if re.fullmatch(r"\s*\.[a-z]+\s*", selector) is None] == []
    html = "".join(page.letter.html for page in ALL)
    used = set(" ".join(re.findall(r'class="([^"]*)"', html)).split()) | {"logo"}
    assert {selector.strip().removeprefix(".") for selector in selectors} == used
    assert {
        name for name in re.findall(r"\.([a-z]+)", (TEMPLATES / "base" / "dark.css").read_text()) if name != "dark"
    } <= used


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.path)
def test_a_letter_is_small_and_whole(page: Page) -> None:
    """Gmail cuts a message off at 102 kB; every element with a class has its style; tables are for looks only."""
    html = page.letter.html
    assert len(html.encode()) < 20_000
    assert [tag for tag in re.findall(r"<\w+[^>]*class=[^>]*>", html) if "style=" not in tag] == []
    assert [tag for tag in re.findall(r"<table[^>]*>", html) if 'role="presentation"' not in tag] == []
    assert "JINJA" not in html
    assert "jinja" not in html
    assert "data-css-inline" not in html
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") == 2
