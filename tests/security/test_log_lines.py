"""Log lines: whatever is logged is one line of JSON, cut, and never lost (docs/security.md S85)."""

import asyncio
import gc
import io
import logging
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.json_logging import JsonLines


def logged(message: str, **extra: Any) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.Logger("test")  # noqa: LOG001 - one of this test's own, that nobody else hears
    logger.addHandler(handler)
    logger.error(message.replace("%", "%%"), extra=extra)
    return stream.getvalue()


class Unspeakable:
    def __str__(self) -> str:
        return "x" * 10_000


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nb", "\x1b[31mred", '"}{"level":"debug"', "\u2028\u2029", "\x85", "\x9b31m", "\0", "\ud800",
        "x" * 1_000_000, "\U0001f600" * 1000, 10**400, -(2**70), float("nan"), float("inf"), b"\xff", object(),
        Unspeakable(), {"a": "y" * 5000}, ["z" * 5000] * 500,
        {1: {2: "\ud800"}}, {"\ud800": 1}, None, True, ("a",), Exception("x" * 9000),
    ],
    ids=lambda value: ascii(value)[:30] if " at 0x" not in repr(value) else type(value).__name__,
)  # fmt: skip
def test_s85_any_value_is_a_field(value: Any):
    """One line, parsed by any reader, no text in it longer than 256 characters."""
    written = logged("something", field=value)
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    line = orjson.loads(written)
    assert (line["message"], line["level"]) == ("something", "error")
    assert all(len(text) <= 256 for text in texts(line))
    assert "\x1b" not in written


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for inner in pair for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_s85_any_text_is_a_line(message: str, field: str):
    """No text makes a second line, a line that doesn't parse, or none at all."""
    written = logged(message, field=field)
    assert len(written.splitlines()) == 1
    assert set(orjson.loads(written)) == {"timestamp", "level", "logger", "message", "field"}


async def test_an_error_that_nobody_awaited_is_told_without_its_text(caplog: pytest.LogCaptureFixture):
    """Lines of asyncio itself show what a task or a future has failed with; ours say where alone, as of any error."""

    async def fail() -> None:
        raise ValueError("ann@example.com")

    failed = asyncio.create_task(fail())
    await asyncio.wait({failed})
    del failed
    gc.collect()
    (record,) = [each for each in caplog.records if each.name == "asyncio"]
    line = orjson.loads(JsonLines().format(record))
    assert "ann" not in str(line)
    assert (line["message"], line["exception"]) == ("Task exception was never retrieved", "ValueError")
    assert "fail" in line["stack"][-1]
