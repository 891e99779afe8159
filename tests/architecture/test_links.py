"""Links between pages, and pages and sections that code names, exist."""

import re
from pathlib import Path

import pytest

from testkit.sources import ROOT, texts

_PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
_NAMED = re.compile(r"\bdocs/([\w/-]+\.md)(?:#([\w-]+))?")
# A document in running text; a name alone in quotes is part of a path.
_DOCUMENT = re.compile(r"(?<![\w/.\-\"'])[\w./-]*[\w-]\.md\b")


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


def documents_outside(text: str) -> list[str]:
    """Documents that a text names and the repository does not have, by their path from the root.

    A link stands in a text that is put into a page of docs/, and is read from there.
    """
    linked = {path for path, _ in _LINK.findall(text) if (ROOT / "docs" / path).exists()}
    return [name for name in _DOCUMENT.findall(text) if not (ROOT / name).exists() and name not in linked]


@pytest.mark.parametrize("folder", ["service", "worker", "devstack", "testkit", "bench", "tests", "templates"])
def test_no_other_document_is_named(folder: str):
    """A reader of code has every document that it names, under the path that it gives."""
    found = [f"{path} names {name}" for path, text in texts() if path.parts[0] == folder
             for name in documents_outside(text)]  # fmt: skip
    assert not found, "\n".join(found)


def test_a_planted_document_is_found():
    """The checker sees a document of another place, and leaves the project's own alone."""
    planted = "notes" + ".md"
    assert documents_outside(f"As {planted} has it (docs/contract.md#errors, README.md).") == [planted]
