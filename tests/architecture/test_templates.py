"""Letters and languages: what is posted can be written, what can be written is posted, in every language."""

import ast
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from testkit.sources import modules
from worker.mail.templates import FILES, TEMPLATES

# `base` is what letters share, `pages` are for browsers.
_LETTERS = sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir() and path.name not in ("base", "pages"))
_POSTING = (
    "outgoing_mail.enqueue",
    "outgoing_mail.enqueue_link_to_owner",
    "outgoing_mail.notify",
    "outbox.draft",
    "replace",
)
_LANGUAGES = sorted(TEMPLATES.glob("*.po"))
_PLACE = re.compile(r"%\(\w+\)[sd]")


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


def sentences() -> set[str]:
    """Everything that stands between {% trans %} and {% endtrans %}, singular and plural."""
    found = extract_from_dir(
        TEMPLATES,
        [("**.txt", "jinja2"), ("**.html", "jinja2")],
        {"**": {"trimmed": "true", "newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}},
    )
    return {part for _, _, message, _, _ in found for part in ([message] if isinstance(message, str) else message)}


@pytest.mark.parametrize("letter", _LETTERS)
def test_a_letter_has_its_three_files(letter: str):
    """A subject and the same text twice; nothing else lies in a letter's folder."""
    assert sorted(path.name for path in (TEMPLATES / letter).iterdir()) == sorted(FILES)


def test_the_page_about_letters_lists_them():
    """docs/letters.md has a row for each letter."""
    rows = re.findall(r"^\| `(\w+)` \|", (TEMPLATES.parent / "docs" / "letters.md").read_text(), re.MULTILINE)
    assert rows == _LETTERS


def test_letters_are_those_that_are_posted():
    """A letter that nobody posts is dead, one that nobody wrote would fail in the worker."""
    assert posted() == {*_LETTERS}


@pytest.mark.parametrize("path", _LANGUAGES, ids=[path.stem for path in _LANGUAGES])
def test_a_language_is_complete(path: Path):
    """Every sentence is translated, with the same places to fill in; no leftover, nothing fuzzy."""
    with path.open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    messages = [message for message in catalogue if message.id]
    texts = {
        str(part): message.string if isinstance(message.string, str) else "".join(message.string)
        for message in messages
        for part in ([message.id] if isinstance(message.id, str) else message.id)
    }
    assert texts.keys() == sentences()
    assert not [message.id for message in messages if message.fuzzy]
    wrong = [text for text, said in texts.items() if not said or {*_PLACE.findall(text)} - {*_PLACE.findall(said)}]
    assert not wrong
