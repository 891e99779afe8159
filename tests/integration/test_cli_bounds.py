"""Bounds of a command's numbers, names and choices; a value outside of them writes nothing."""

import pytest

from service.app import routes
from service.db import Pool
from service.scopes import SCOPES
from tests.integration.conftest import Terminal

LIFETIMES = ("session", "recovery", "verification", "magic-url", "otp")


@pytest.mark.parametrize("words", ["", "nothing", "projects", "projects nothing", "keys", "users nothing"])
async def test_who_names_no_command_is_shown_all(type_: Terminal, words: str):
    """Without a command the help is shown, and the error comes last."""
    code, out, err = await type_(*words.split())
    _, helped, _ = await type_(*words.split()[:-1], *words.split()[-1:] * ("nothing" not in words), "--help")
    assert (code, out) == (2, "")
    assert err.startswith(helped)
    assert err.splitlines()[-1].startswith("python -m service")
    assert "error: " in err.splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [
        *(f"keys create shop --name x --scopes users.read --days {days}" for days in ("0", "-1", "3651", "1.5")),
        *(f"keys create shop --name x --scopes {scope}" for scope in ("users.delete", "users.read,nothing", "*", ",")),
        "keys create shop --name x --scopes users.read --days ٣",
        "keys create shop --name x --scopes users.read --days " + "9" * 20,
        *(f"keys create shop --scopes users.read --name {name}" for name in ("\n", "x" * 129, "a\nb")),
        *(f"projects set shop --password-min {number}" for number in ("-1", "65", "x", "1e1", "99999999999")),
        *(f"projects set shop --password-max {number}" for number in ("31", "257")),
        *(f"projects set shop --password-history {number}" for number in ("-1", "33")),
        *(f"projects set shop --{life}-seconds {number}" for life in LIFETIMES for number in ("0", "-1", "315360001")),
        "projects set shop --password-min 40 --password-max 39",
        *(f"projects set shop --locale {name}" for name in ("german_language", "xx", "xx-klingon", "de-klingo", "a-b")),
        *(f"projects set shop --otp-seconds {time}" for time in ("1w", "h", "1.5h", "-1h", "3651d", "1h30m")),
        *(f"projects set shop --accent-color {color}" for color in ("red", "#fff", "#12345g", "0b57d0", "#0b57d000")),
        "projects set shop --footer-text " + "x" * 301, "projects set shop --footer-text a\nb",
        "projects set shop --logo /nowhere.png", "projects set shop --logo /dev/null",
        "projects set shop --logo x.png --no-logo --app-url x",
        "projects set shop --name \n", "projects set shop", "projects create blog --name a\nb",
        "users list shop --limit 0",
        "users list shop --limit 99999999999999999999", "users logs shop ann --limit -1",
        "users logs shop ann --limit 99999999999999999999", "limits set shop create_session.email 0/1h",
        "limits set shop create_session.email 1/1y", "limits set shop create_session.email 100001/1h",
        "projects show \udcff", "users create shop --name \udcff", "limits set shop nothing 1/1h",
    ],
)  # fmt: skip
async def test_numbers_names_and_choices_have_bounds(type_: Terminal, pool: Pool, words: str):
    """A value out of bounds is a usage error (2) without a traceback, and nothing is written."""
    await type_.json("projects", "create", "shop")
    before = await pool.fetch("select * from projects")
    code, out, err = await type_(*(word.replace("\\n", "\n") for word in words.split(" ")))
    assert (code, out) == (2, ""), err
    assert "Traceback" not in err
    assert await pool.fetch("select * from projects") == before
    assert await pool.fetch("select * from api_keys") == []


@pytest.mark.parametrize(
    ("command", "said"),
    [("keys create", ["1 to 3650", *SCOPES]), ("users list", ["1 to 10000"]), ("users logs", ["1 to 10000"]),
     ("projects set", ["0 to 64", "32 to 256", "0 to 32", "1 to 315360000", "on|off"])],
)  # fmt: skip
async def test_help_says_the_bounds(type_: Terminal, command: str, said: list[str]):
    """Nobody has to try what a number may be."""
    _, out, _ = await type_(*command.split(), "--help")
    assert [bounds for bounds in said if bounds not in " ".join(out.split())] == []


async def test_a_refused_setting_is_said_in_few_lines(type_: Terminal):
    """The usage does not list all settings before the fault; --help does."""
    await type_.json("projects", "create", "shop")
    code, _, err = await type_("projects", "set", "shop", "--sender-address", "nonsense")
    assert code == 2
    assert len(err.splitlines()) == 2
    assert "--sender-address: an address" in err.splitlines()[-1]


def test_scopes_are_those_of_the_routes():
    """A key can be made for every route that a key opens, and for nothing else."""
    assert {route.scope for route in routes() if route.access in ("public", "key")} == set(SCOPES)
