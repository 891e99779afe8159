"""Letters: what is posted can be written, and what can be written is posted."""

import ast
import re

import pytest

from testkit.sources import modules
from worker.mail.templates import FILES, TEMPLATES

# `base` is what letters share, `pages` are for browsers.
_LETTERS = sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir() and path.name not in ("base", "pages"))
_POSTING = (
    "outbox.enqueue",
    "outgoing_mail.enqueue",
    "outgoing_mail.enqueue_to_owner",
    "outgoing_mail.notify",
    "outgoing_mail.notice_to_mail",
    "notify",
    "letter_drafts.make",
    "verification.enqueue_to_member",
    "replace",
)


def posted() -> set[str]:
    """Letters that a handler or a job puts in the outbox: `outgoing_mail.enqueue(…, letter="recovery")`."""
    return {
        word.value.value
        for tree in modules("service", "worker").values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _POSTING
        for word in node.keywords
        if word.arg == "letter" and isinstance(word.value, ast.Constant)
    }


@pytest.mark.parametrize("letter", _LETTERS)
def test_a_letter_has_its_three_files(letter: str):
    """A subject and the same text twice; nothing else lies in a letter's folder."""
    assert sorted(path.name for path in (TEMPLATES / letter).iterdir()) == sorted(FILES)


def test_the_page_about_letters_lists_them():
    """docs/letters.md has a row for each letter."""
    page = (TEMPLATES.parent / "docs" / "letters.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", page.partition("\n## ")[0], re.MULTILINE)
    assert rows == _LETTERS


def test_letters_are_those_that_are_posted():
    """A letter that nobody posts is dead, one that nobody wrote would fail in the worker."""
    assert posted() == {*_LETTERS}
