"""Log events: a stable id on every call, and a page that lists them."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from service import failpoints
from testkit.sources import ROOT
from tests.architecture.log_events import LEVELS, actions, events_in, log_events
from tests.architecture.test_docs import each_page

_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
# Keys of every line: an event's own key of that name would hide them.
_RESERVED = ("timestamp", "level", "logger", "request_id", "exception", "stack")


def test_every_log_call_has_an_event_id():
    """Operators, tests and docs find a line by its id: lower case, a subject and what happened to it."""
    assert [found.place for found in log_events() if not _ID.fullmatch(found.event)] == []
    assert len(log_events()) > len(LEVELS)


def test_an_event_id_has_one_call():
    """Two places that say the same go through one function; two that don't have two ids."""
    assert [event for event, count in Counter(found.event for found in log_events()).items() if count > 1] == []


def test_messages_are_sentences():
    """A literal that begins with a capital and has no full stop: values stand in keys of their own."""
    found = [event for event in log_events() if not re.fullmatch(r"[A-Z][^%{}\n]{5,118}[^.\s]", event.message)]
    assert found == []


def test_no_event_hides_a_key_of_every_line():
    """Fields of an event have names of their own."""
    for path in [path for folder in ("service", "worker") for path in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "extra":
                keys = {key.value for each in ast.walk(node) if isinstance(each, ast.Dict) for key in each.keys
                        if isinstance(key, ast.Constant)}  # fmt: skip
                assert not keys.intersection((*_RESERVED, "message")), path


def test_every_event_says_what_an_operator_does():
    """tests/architecture/log_events.toml has each id and no other."""
    assert set(actions()) == {found.event for found in log_events()}
    assert all(actions().values())


@each_page
def test_events_that_a_page_names_exist(path: Path):
    """A page names log events by id; other words that begin so are failpoints."""
    events = {found.event for found in log_events()}
    subjects = {event.partition(".")[0] for event in events} - {"service", "worker", "mail", "sms"}
    named = set(re.findall(rf"`((?:{'|'.join(sorted(subjects))})\.[a-z_]+)`", path.read_text()))
    assert named - events <= {name.rpartition(".")[0] for name in failpoints.names()}


@pytest.mark.parametrize(
    ("source", "event", "message"),
    [
        ('log.info("The end")', "", "The end"),
        ('log.info("The end", extra={"seconds": 1})', "", "The end"),
        ('log.error(MESSAGE, extra={"event": "a.b"} | facts)', "a.b", ""),
        ('log.exception("The end", extra={"event": NAME})', "", "The end"),
    ],
)
def test_planted_calls_are_found(source: str, event: str, message: str):
    """The checker sees what it is there to see."""
    (found,) = events_in("service.x", ast.parse(source))
    assert (found.event, found.message) == (event, message)
