"""Links between pages, and pages and sections that code names, exist."""

import re
from pathlib import Path

import pytest

from testkit.sources import ROOT, texts

_PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
_NAMED = re.compile(r"\bdocs/([\w/-]+\.md)(?:#([\w-]+))?")


def anchors(page: Path) -> set[str]:
    """The ids that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    texts_of_links = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in texts_of_links}


def is_missing(page: Path, anchor: str) -> bool:
    return not page.exists() or bool(anchor and anchor not in anchors(page))


@pytest.mark.parametrize("page", _PAGES, ids=[str(page.relative_to(ROOT)) for page in _PAGES])
def test_links_of_a_page_exist(page: Path):
    """A relative link is a file of the repository, its anchor a heading of that page."""
    found = _LINK.findall(page.read_text())
    assert not [(path, anchor) for path, anchor in found if is_missing(page.parent / path if path else page, anchor)]


def test_pages_that_are_named_exist():
    """A page of docs/ that code, a comment or a setting names exists, and so does its section."""
    assert not [
        f"{path} names docs/{name}" + (f"#{anchor}" if anchor else "")
        for path, text in texts()
        for name, anchor in _NAMED.findall(text)
        if is_missing(ROOT / "docs" / name, anchor)
    ]
