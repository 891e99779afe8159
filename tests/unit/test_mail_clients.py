"""HTML and CSS of the letters against what mail programs support (devstack/mail_client_support.json)."""

import re

import pytest

from devstack.html_features import Features, support
from service import i18n
from testkit.gallery import LOGO, pages, usual_pages
from worker.mail.templates import TEMPLATES

SUPPORT = support().features
# As old as HTML mail itself, so that nobody lists them; `mso-` is for Outlook alone and unknown to the others.
ALWAYS = {
    "html", "head", "meta", "title", "a", "br", "b", "tbody", "tr", "td", "color", "margin", "mso-padding-alt",
    "class", "charset", "content", "name", "href", "src", "alt", "border", "bgcolor", "style",
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


# Languages that differ in length, direction and script; of the others the usual state tells the rest.
_WHOLE = ("ar", "de", "en", "zh-Hant")
PAGES = {
    language: list(pages(languages=[language]) if language in _WHOLE else usual_pages(language))
    for language in i18n.languages()
}
ALL = [page for shown in PAGES.values() for page in shown]


def test_every_feature_is_supported_or_has_a_fallback() -> None:
    """Mail programs know what our letters use, or the reader gets the fallback that is named here."""
    letters = [page.letter.html.replace(LOGO, "cid:logo") for page in ALL]
    used = {name for letter in letters for name, count in Features(letter).found.items() if count}
    assert used - SUPPORT.keys() - {f"{kind}-{name}" for kind in ("html", "css") for name in ALWAYS} == set()
    lacking = {name for name in used & SUPPORT.keys() if set(SUPPORT[name].support) - {"y"}}
    assert lacking - FALLBACKS.keys() == set()
    assert FALLBACKS.keys() - lacking == set(), "a fallback for what is not used or not lacking"


def test_the_stylesheet_selects_by_class_alone() -> None:
    """A template file is inlined by itself: a selector that needs another file's elements would find nothing."""
    css = re.sub(r"/\*.*?\*/", "", (TEMPLATES / "base" / "letter.css").read_text(), flags=re.DOTALL)
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", css)
    assert selectors
    assert [selector for selector in selectors if re.fullmatch(r"\s*\.[a-z]+\s*", selector) is None] == []
    html = "".join(page.letter.html for page in ALL)
    used = set(" ".join(re.findall(r'class="([^"]*)"', html)).split())
    assert {selector.strip().removeprefix(".") for selector in selectors} == used
    assert {
        name for name in re.findall(r"\.([a-z]+)", (TEMPLATES / "base" / "dark.css").read_text()) if name != "dark"
    } <= used


@pytest.mark.parametrize("language", PAGES)
def test_letters_are_small_and_whole(language: str) -> None:
    """Gmail cuts a message off at 102 kB; every element with a class has its style; tables are for looks only."""
    for page in PAGES[language]:
        _check(page.letter.html, page.path)


def _check(html: str, path: str) -> None:
    assert len(html.encode()) < 20_000, path
    assert [tag for tag in re.findall(r"<\w+[^>]*class=[^>]*>", html) if "style=" not in tag] == [], path
    assert [tag for tag in re.findall(r"<table[^>]*>", html) if 'role="presentation"' not in tag] == [], path
    assert "JINJA" not in html, path
    assert "jinja" not in html, path
    assert "data-css-inline" not in html, path
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") == 2, path
