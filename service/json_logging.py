"""Log lines: one JSON object each, in our names or those of ECS, or one line of text.

`timestamp`, `level`, `logger`, `event` (a stable id, docs/log-events.md), `message`, `request_id` within a request,
then the event's own keys; an error adds `exception`, its class, and `stack`, its innermost frames.
"""

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, TextIO

import orjson

from service import ecs_logging, text_logging, tracing
from service.log_records import EventHandler, Facts

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
# A hostile value can make a line long, but never fill the log.
_CUT, _MANY = 256, 64
# Bytes of a line of which no value can be too long: time, level and the names of the rest take a hundred.
_SHORT = 350
# JSON leaves these as they are; terminals obey them, and some readers see a new line in them.
_ESCAPES = {
    code: f"\\u{code:04x}" for code in (*range(0x80, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), 0x2066, 0x2069)
}
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "taskName"}
# Types of values that are written as they are.
_PLAIN = frozenset({bool, float, type(None)})


class JsonLines(logging.Formatter):
    """Values are escaped by JSON itself and cut; an error says where it was raised, not with which values."""

    def format(self, record: logging.LogRecord) -> str:
        own = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        at = _timestamp(round(record.created * 1_000_000) // 1000)
        message = record.getMessage()
        if record.name == "asyncio":  # its further lines show a task or a future with the text of its error
            message = message.partition("\n")[0]
        line = _head(at, record.levelname.lower(), record.name, own.get("event"), _fit(message))
        for name, value in own.items():
            line[name] = value if type(value) in _PLAIN else _fit(value)
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
            line["stack"] = _stack(record)
        return self.render(line)

    def format_event(self, logger: str, message: str, facts: Facts) -> str:
        """Format what happens now, at level INFO, as a record of it would be."""
        line = _head(_now(), "info", logger, facts["event"], message)
        line |= facts
        return self.render_event(line)

    def render_event(self, line: dict[str, object]) -> str:
        """Render a line whose values may have to be cut; to look at each would take as long as all the rest."""
        try:
            written = orjson.dumps(line)
        except TypeError:  # a lone surrogate, or a number that JSON can't tell
            written = b""
        if 0 < len(written) <= _SHORT and written.isascii():
            return written.decode()
        return self.render_cut(line)

    def render_cut(self, line: dict[str, object]) -> str:
        """Render a line, each of whose values is looked at and cut if it is too long."""
        return self.render({name: _fit(value) for name, value in line.items()})

    @staticmethod
    def render(line: dict[str, object]) -> str:
        written = orjson.dumps(line).decode()
        return written if written.isascii() else written.translate(_ESCAPES)


class EcsLines(JsonLines):
    """The same lines under the names of the Elastic Common Schema."""

    @staticmethod
    def render(line: dict[str, object]) -> str:
        return JsonLines.render(ecs_logging.fields(line))

    render_event = JsonLines.render_cut


class TextLines(JsonLines):
    """The same fields for people: same cuts, no control characters."""

    render = staticmethod(text_logging.render)
    render_event = JsonLines.render_cut


def _head(timestamp: str, level: str, logger: str, event: object, message: object) -> dict[str, object]:
    """Begin a line with what each one has, in this order; a request and a trace stand in it if there are any."""
    line: dict[str, object] = {"timestamp": timestamp, "level": level, "logger": logger}
    if event:
        line["event"] = event
    line["message"] = message
    if request_id := REQUEST_ID.get():
        line["request_id"] = request_id
    if tracing.is_on() and (trace_id := tracing.trace_id()):
        line["trace_id"] = trace_id
    return line


def _fit(value: object) -> object:
    """Convert a value to JSON's types, and cut it; whatever it is, its line is written."""
    match value:
        case None | bool() | float():
            return value
        case int() if -(2**63) <= value < 2**63:
            return value
        case list() | tuple():
            return [_fit(inner) for inner in value[:_MANY]]
        case dict():
            return {str(_fit(str(name))): _fit(inner) for name, inner in list(value.items())[:_MANY]}
    # A lone surrogate has no UTF-8.
    return str(value)[:_CUT].encode("utf-8", "backslashreplace").decode()[:_CUT]


def _now() -> str:
    return _timestamp(time.time_ns() // 1_000_000)


def _timestamp(milliseconds: int) -> str:
    """RFC 3339 in UTC."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(2)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _stack(record: logging.LogRecord) -> list[str]:
    """Return the innermost frames. Neither messages nor locals of a traceback are logged: they may hold a secret."""
    frames = []
    step = record.exc_info[2] if record.exc_info else None
    while step:
        code = step.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{step.tb_lineno} {code.co_name}")
        step = step.tb_next
    return frames[-6:]


class CountingHandler(EventHandler):
    """Stream handler of one write a line; lost lines are counted, and reported by the next one that is written.

    Nothing is kept to be tried again: a buffer would fail once more when the process ends, and spoil its exit code.
    """

    def __init__(self, file: int, formatter: JsonLines | None = None) -> None:
        super().__init__()
        self._lines = formatter or JsonLines()
        self.setFormatter(self._lines)
        self.dropped = 0
        self._file, self._untold, self._torn = file, 0, False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. Never raises: a full disk or a closed pipe must not stop the service."""
        self._put(self.format, record)

    def handle_event(self, logger: str, message: str, facts: Facts) -> None:
        with self.lock or nullcontext():
            self._put(self._lines.format_event, logger, message, facts)

    def _put(self, form: Callable[..., str], *told: object) -> None:
        try:
            lines = form(*told)
        except Exception:  # noqa: BLE001 - a value that can't be told in JSON costs its line
            self._drop()
            return
        if self._untold:
            lines = f"{self._report_dropped()}\n{lines}"
        if self._write(lines.encode()):
            self._untold = 0
        else:
            self._drop()

    def _write(self, lines: bytes) -> bool:
        # The newline comes first where a full disk cut a line short.
        data = (b"\n" if self._torn else b"") + lines + b"\n"
        try:
            written = os.write(self._file, data)
        except OSError:
            return False
        self._torn = written < len(data)
        return not self._torn

    def _drop(self) -> None:
        self.dropped += 1
        self._untold += 1

    def _report_dropped(self) -> str:
        line: dict[str, object] = {
            "timestamp": _now(),
            "level": "warning",
            "logger": __name__,
            "event": "logging.lines_dropped",
            "message": "Log lines could not be written",
            "count": self._untold,
        }
        return self._lines.render(line)


def dropped_lines() -> int:
    """Return how many lines this process could not write."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, CountingHandler))


def configure_logging(
    stream: TextIO = sys.stderr, *, level: str = "info", form: Literal["text", "json", "ecs", ""] = ""
) -> None:
    """Send every logger's lines there, to a stream that has a file; "" is text for a terminal and JSON for all else."""
    is_text = form == "text" or (not form and stream.isatty())
    lines = TextLines() if is_text else EcsLines() if form == "ecs" else JsonLines()
    handler = CountingHandler(stream.fileno(), lines)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # None of this is in our lines, and finding it out costs time with each (the manual of logging says so).
    logging._srcfile = None  # noqa: SLF001 - the manual's own way
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # arq prints every job with its arguments at INFO.
    logging.getLogger("arq").setLevel(max(logging.WARNING, logging.getLogger().level))
