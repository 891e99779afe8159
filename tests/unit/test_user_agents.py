"""Client details of a User-Agent, in the words and codes clients know."""

from dataclasses import astuple, fields
from pathlib import Path

import pytest
import ua_parser
from hypothesis import example, given
from hypothesis import strategies as st
from ua_parser import Domain
from ua_parser.regex import Resolver

from service.clientinfo import user_agents
from service.clientinfo.user_agent_rules import needed_words

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


@pytest.mark.parametrize(
    ("regex", "words"),
    [
        (r"Firefox/(\d+)\.(\d+)", [("firefox/",), (".",)]),
        (r"(?:Kindle|Silk)/(\d)", [("kindle", "silk"), ("/",)]),
        (r"[Cc][Aa]t[0-9][^x]", [("cat",)]),
        (r"colou?r", [("colo",), ("r",)]),
        (r"ab*c+d{0,2}e{2,3}f", [("a",), ("c",), ("e",), ("f",)]),
        (r"(?i)(abc)?(d(?:e|f)|g)* ?H", [("h",)]),
        (r"(?:one |)(?P<two>2|two\.)$", [("2", "two.")]),
        (r"((?:very )?long)+|short", [("long", "short")]),
        (r"a|b*", []),
        (r"\x41bc", []),
    ],
)
def test_a_rule_is_near_where_its_words_are(regex: str, words: list[tuple[str, ...]]) -> None:
    """Nothing optional counts, of alternatives one is enough, and what is not understood asks for nothing."""
    assert needed_words(regex) == words


def test_rules_find_what_the_library_finds() -> None:
    """Compiled one by one, they find in order what all of them find at once."""
    every = Resolver(ua_parser.load_lazy_builtins())
    for text in _LINES[1::2]:
        found = [rules.find(text) for rules in user_agents.load_rules()]
        told = found[0] and found[0].user_agent, found[1] and found[1].os, found[2] and found[2].device
        wanted = every(text, Domain.ALL)
        assert told == (wanted.user_agent, wanted.os, wanted.device), text
