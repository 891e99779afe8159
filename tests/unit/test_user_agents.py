"""Client details of a User-Agent, in the words and codes clients know."""

from dataclasses import astuple, fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.clientinfo import user_agents

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0.3538.77 Safari/537.36"
)

_COLLECTION = Path(__file__).parent / "data" / "user_agents.txt"
_LINES = [line for line in _COLLECTION.read_text("ascii").splitlines() if line and not line.startswith("#")]


def told(user_agent: str) -> str:
    """All fields in their order, between bars."""
    return "|".join(astuple(user_agents.parse(user_agent)))


def test_fixture() -> None:
    """The official end-to-end suite's browser is read exactly as that suite expects."""
    assert user_agents.parse(CHROME) == user_agents.Device(
        os_code="WIN",
        os_name="Windows",
        os_version="10",
        client_type="browser",
        client_code="CH",
        client_name="Chrome",
        client_version="70.0",
        client_engine="Blink",
        client_engine_version="",
        device_name="desktop",
        device_brand="",
        device_model="",
    )


@pytest.mark.parametrize("user_agent", ["", "UNKNOWN", " ", "-", "hello world", "Mozilla/5.0", "(", "1/2", "\x00", "é"])
def test_nothing_known(user_agent: str) -> None:
    """A missing or meaningless User-Agent leaves every field empty."""
    assert user_agents.parse(user_agent) == user_agents.Device()


def test_known() -> None:
    """Every program and device of the collection has exactly the codes, names and versions noted above it."""
    for expected, user_agent in zip(_LINES[::2], _LINES[1::2], strict=True):
        assert told(user_agent) == expected, user_agent


def test_only_the_beginning_counts() -> None:
    """Text after 512 characters is never read, however much it is."""
    assert told(CHROME.ljust(512) + " Edg/124.0.0.0" * 100_000) == told(CHROME)
    assert told(" " * 512 + CHROME) == "|" * 11


_WORDS = [
    "Mozilla/5.0 (",
    "; ",
    ")",
    "Android ",
    "Chrome/",
    "9",
    ".",
    "iPad",
    "OS ",
    "bot",
    "Build/",
    "\x00",
    "\ud800",
    "é",
]


@given(st.text(max_size=600) | st.lists(st.sampled_from(_WORDS), max_size=90).map("".join))
@example("Mozilla/5.0 (Linux; Android 9; \x00) AppleWebKit/537.36 Chrome/1")
@example("\ud800" * 600)
def test_fit_to_store(user_agent: str) -> None:
    """Whatever a stranger sends, each field is short printable ASCII no database or page stumbles on."""
    for field in fields(user_agents.Device):
        value = getattr(user_agents.parse(user_agent), field.name)
        assert len(value) <= 64
        assert value.isascii()
        assert value == "" or value.isprintable()


def test_order() -> None:
    """The fields stand in the order sessions and logs are sent in."""
    assert [field.name for field in fields(user_agents.Device)] == [
        "os_code",
        "os_name",
        "os_version",
        "client_type",
        "client_code",
        "client_name",
        "client_version",
        "client_engine",
        "client_engine_version",
        "device_name",
        "device_brand",
        "device_model",
    ]


def test_warm_is_repeatable() -> None:
    """Warming up twice is harmless."""
    user_agents.load_patterns()
    user_agents.load_patterns()
    assert told("curl/8.0.1") == "|||library||curl|8.0|||||"
