"""A log that can't be written is counted, never waited for or failed on."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.json_logging import CountingHandler, JsonLines
from service.log_records import EventLogger


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


def sheet(file: int) -> tuple[logging.Logger, CountingHandler]:
    """A logger of its own that writes there."""
    handler = CountingHandler(file)
    handler.setFormatter(JsonLines())
    log = logging.Logger("own")  # noqa: LOG001 - one that nobody else hears
    log.addHandler(handler)
    return log, handler


def test_f63_a_closed_pipe_is_counted(pipe: tuple[int, int]):
    """Whoever read the log is gone: each line is a count and no error."""
    reading, writing = pipe
    log, handler = sheet(writing)
    log.warning("heard")
    os.close(reading)
    for _ in range(3):
        log.warning("unheard")
    assert handler.dropped == 3


def test_f63_a_full_disk_is_counted_and_told_when_there_is_room(tmp_path: Path):
    """The next line that can be written comes after one that says how many could not."""
    path = tmp_path / "log"
    with path.open("wb") as file, Path("/dev/full").open("wb") as full:
        log, handler = sheet(os.dup(file.fileno()))
        log.warning("one")
        room = os.dup(handler._file)
        os.dup2(full.fileno(), handler._file)
        log.warning("two")
        log.warning("three")
        os.dup2(room, handler._file)
        log.warning("four")
        log.warning("five")
        os.close(room)
        os.close(handler._file)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["message"] for line in lines] == ["one", "Log lines could not be written", "four", "five"]
    assert lines[1]["event"] == "logging.lines_dropped"
    assert (lines[1]["count"], handler.dropped) == (2, 2)


def test_f63_half_a_line_spoils_no_other(pipe: tuple[int, int]):
    """A disk that fills up in mid-line leaves half of it; what comes next begins on a line of its own."""
    reading, writing = pipe
    os.set_blocking(writing, False)
    log, handler = sheet(writing)
    while not handler.dropped:
        log.warning("x" * 200)
    read = os.read(reading, 1 << 20)
    log.warning("last")
    read += os.read(reading, 1 << 20)
    os.close(reading)
    messages = [json.loads(line)["message"] for line in read.split(b"\n") if line.endswith(b"}")]
    assert messages[-2:] == ["Log lines could not be written", "last"]


class Unspeakable:
    def __str__(self) -> str:
        raise ValueError


def test_a_value_that_is_no_json_costs_its_line_only(pipe: tuple[int, int]):
    """Nothing that a caller hands over to be logged may fail the caller."""
    reading, writing = pipe
    log, handler = sheet(writing)
    log.warning("spoilt", extra={"value": Unspeakable()})
    log.warning("%d", "spoilt")
    log.warning("good")
    assert handler.dropped == 2
    assert b"good" in os.read(reading, 1 << 16)
    os.close(reading)


def test_an_event_without_a_record_is_written_as_any_other(pipe: tuple[int, int]):
    """The line of each request has the keys, cuts and escapes of every line; a value that can't be told costs it."""
    reading, writing = pipe
    log, handler = sheet(writing)
    facts = {"event": "a.b", "method": "G\u2028T" * 100, "route": None, "status": 200, "ms": 1.25, "ip": "::1"}
    log.info("It was done", extra=facts)
    EventLogger(log).info("It was done", extra=facts)
    EventLogger(log).info("It was done", extra={"event": "a.b", "value": Unspeakable()})
    usual, quick = (json.loads(line) for line in os.read(reading, 1 << 16).splitlines())
    os.close(reading)
    assert (quick.pop("timestamp") >= usual.pop("timestamp"), quick, handler.dropped) == (True, usual, 1)


def test_handlers_and_filters_of_others_see_a_record_of_an_event(pipe: tuple[int, int]):
    """Whoever adds one to the logger, or to one above it, gets what the library gives for every line."""
    reading, writing = pipe
    log, _ = sheet(writing)
    seen: list[logging.LogRecord] = []
    log.addFilter(lambda record: not seen.append(record))
    EventLogger(log).info("It was done", extra={"event": "a.b", "ms": 1.25})
    below = logging.Logger("own.access")  # noqa: LOG001 - one that nobody else hears
    below.parent = log
    log.filters.clear()
    log.addHandler(_Kept(seen))
    EventLogger(below).info("It was done", extra={"event": "a.b", "ms": 1.25})
    assert [(record.getMessage(), record.__dict__["ms"]) for record in seen] == [("It was done", 1.25)] * 2
    assert len(os.read(reading, 1 << 16).splitlines()) == 2
    os.close(reading)


def test_level_and_filters_of_the_handler_hold_for_an_event(pipe: tuple[int, int]):
    """A filter that hides or drops what the handler would write, and a level above INFO, are asked for each event."""
    reading, writing = pipe
    log, handler = sheet(writing)

    def hide(record: logging.LogRecord) -> bool:
        record.ip = "hidden"
        return record.__dict__["ms"] > 1

    handler.addFilter(hide)
    for ms in (1, 2):
        EventLogger(log).info("It was done", extra={"event": "a.b", "ms": ms, "ip": "::1"})
    handler.removeFilter(hide)
    handler.setLevel(logging.WARNING)
    EventLogger(log).info("It was done", extra={"event": "a.b", "ms": 3, "ip": "::1"})
    lines = [json.loads(line) for line in os.read(reading, 1 << 16).splitlines()]
    os.close(reading)
    assert [(line["ms"], line["ip"]) for line in lines] == [(2, "hidden")]


class _Kept(logging.Handler):
    def __init__(self, seen: list[logging.LogRecord]) -> None:
        super().__init__()
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self._seen.append(record)
