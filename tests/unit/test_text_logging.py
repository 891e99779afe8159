"""LOG_FORMAT: text for people at a terminal, JSON for programs."""

import json
import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.json_logging import REQUEST_ID, TextLines

_TIME = r"\d\d:\d\d:\d\d\.\d{3}"
_PROGRAM = """
import logging, sys
from service.json_logging import configure_logging
configure_logging(form=sys.argv[1])
logging.getLogger("own").warning("Something happened", extra={"event": "thing.happened"})
"""


def line(message: str, *, level: int = logging.INFO, **extra: Any) -> str:
    record = logging.makeLogRecord({"name": "own", "levelno": level, "levelname": logging.getLevelName(level)})
    record.msg = message
    record.__dict__.update(extra)
    return TextLines().format(record)


def test_a_request_is_read_at_a_glance():
    """Time, level, route, status, milliseconds, and the type of a refusal; then who asked."""
    request = {"event": "request.handled", "method": "POST", "route": "POST /v1/account", "ms": 12.5, "key": None}
    fine = line("The request was handled", **request, status=201, type=None, project="demo", ip="127.0.0.1")
    assert re.fullmatch(rf"{_TIME} INFO  POST /v1/account 201 12\.5 ms project=demo ip=127\.0\.0\.1", fine)
    refused = line("The request was handled", **request, status=409, type="user_already_exists", project="demo")
    assert re.fullmatch(rf"{_TIME} INFO  POST /v1/account 409 12\.5 ms user_already_exists project=demo", refused)
    lost = line("The request was handled", **request | {"route": None}, status=404, type="general_route_not_found")
    assert "POST (no route) 404 12.5 ms general_route_not_found" in lost


def test_a_refused_request_has_the_id_that_the_client_sees():
    """A developer who holds an answer's X-Request-Id finds its line; lines of requests that went well stay short."""
    request = {"event": "request.handled", "method": "GET", "route": "GET /v1/account", "ms": 1.0}
    token = REQUEST_ID.set("abc")
    try:
        assert line("The request was handled", **request, status=401).endswith(" request_id=abc")
        assert "request_id" not in line("The request was handled", **request, status=200)
        assert line("Oh no", level=logging.ERROR).endswith("ERROR Oh no request_id=abc")
    finally:
        REQUEST_ID.reset(token)


def test_an_event_has_its_keys():
    """Values with a space are quoted, lists have commas, what is not there is left out."""
    written = line(
        "Redis is not available", level=logging.WARNING, event="redis.unavailable", fault="no answer", seen=None,
        hosts=["a.test", "b.test"], none=[],
    )  # fmt: skip
    assert re.fullmatch(
        rf'{_TIME} WARN  Redis is not available fault="no answer" hosts=a\.test,b\.test none=-', written
    )


def test_an_error_says_where_it_was_raised():
    """The class and the frames, as in JSON; never the error's own text, which may hold a secret."""
    try:
        int("hidden")
    except ValueError:
        written = line("It failed", level=logging.ERROR, exc_info=sys.exc_info())
    assert "exception=ValueError" in written
    assert "stack=" in written
    assert "hidden" not in written


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_one_line_that_a_terminal_does_not_obey(text: str):
    """No value makes a second line, a colour or another title of the window."""
    written = line("Something", field=text)
    assert written.isprintable()
    written.encode()


@pytest.mark.parametrize(
    ("form", "on_terminal", "is_text"),
    [("", True, True), ("", False, False), ("text", False, True), ("json", True, False)],
)
def test_the_format_follows_the_terminal_unless_it_is_set(form: str, on_terminal: bool, is_text: bool):
    """Empty is text where standard error is a terminal, else JSON with ISO times."""
    reading, writing = pty.openpty() if on_terminal else os.pipe()
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", _PROGRAM, form], cwd=root, stderr=writing, check=True)
    written = os.read(reading, 4096).decode().strip()
    os.close(reading)
    os.close(writing)
    if is_text:
        assert re.fullmatch(rf"{_TIME} WARN  Something happened", written)
    else:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", json.loads(written)["timestamp"])
