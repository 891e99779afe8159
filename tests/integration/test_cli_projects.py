"""Values that `projects set` and `platforms add` take: all fit for a letter, and each in one form."""

import asyncio

import pytest

from service.cli.exit_codes import MISSING, WRONG
from service.db import Pool, transaction
from service.store import projects
from testkit.waiting import until
from tests.integration.conftest import Terminal

WAITING = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--reply-to", ["notanaddress", "a@", "a@x.de, b@x.de", "a@x.de\r\nBcc: b@x.de"]),
        ("--support-address", ["notanaddress", "mailto:a@x.de"]),
        ("--app-url", ["banana", "javascript:alert(1)", "x-app://a/", "https://a b/"]),
        ("--sender-address", ["notanaddress", "a@", "a..b@x.de", "(a)@b.cd", "Ann <ann@x.de>", "é@x.de",
                              "a@x.de\r\nBcc: b@x.de"]),
        ("--verification-url", ["banana", "/verified", "//app.example.com", "app.example.com", "mailto:a@b.cd",
                                "https://a b/", "https://münchen.de/", "https://a.b:99999/", "https://u:p@a.b/",
                                "javascript:alert(1)",
                                "x-app://a/"]),
        ("--sender-name", ["a\r\nBcc: b@x.de", "a\x00b", "a\u202eb", "\ufeffa", "a" * 129]),
        ("--name", ["", " ", "a\nb", "a\u2028b"]),
    ],
)  # fmt: skip
async def test_what_no_letter_can_be_made_of_is_a_usage_error(
    type_: Terminal, pool: Pool, option: str, values: list[str]
):
    """2, the usage, and the project stays as it was: else every letter of it would be owed for ever."""
    made = await type_.json("projects", "create", "shop")
    for value in values:
        code, _, err = await type_("projects", "set", "shop", f"{option}={value}")
        assert (code, err.startswith("usage: python -m service")) == (2, True), value
    assert await type_.json("projects", "show", "shop") == made


async def test_what_letters_are_made_of_is_kept_in_one_form(type_: Terminal):
    """An international domain is ASCII, the local part's capitals stay, and empty takes a value back."""
    await type_("projects", "create", "shop")
    changed = await type_.json(
        "projects", "set", "shop", "--sender-address", "No-Reply@MÜNCHEN.de", "--sender-name", "Größe"
    )
    assert (changed["sender_address"], changed["sender_name"]) == ("No-Reply@xn--mnchen-3ya.de", "Größe")
    changed = await type_.json(
        "projects", "set", "shop", "--sender-address", "", "--sender-name", "", "--verification-url", ""
    )
    assert (changed["sender_address"], changed["sender_name"], changed["verification_url"]) == ("", "", "")


async def test_a_verification_page_is_read_by_nobody_on_the_way(type_: Terminal):
    """Plain http only to this machine, or where the project has it on; the switch can't be taken from under it."""
    await type_("projects", "create", "shop")
    url = "http://app.example.com/verified"
    assert (await type_("projects", "set", "shop", "--verification-url", url))[0] == WRONG
    assert (await type_("projects", "set", "shop", "--verification-url", "http://localhost:3000/"))[0] == 0
    changed = await type_.json("projects", "set", "shop", "--verification-url", url, "--plain-http", "on")
    assert (changed["verification_url"], changed["plain_http"]) == (url, True)
    assert (await type_("projects", "set", "shop", "--plain-http", "off"))[0] == WRONG
    await type_("projects", "set", "shop", "--verification-url", "", "--plain-http", "off")
    assert (await type_("projects", "set", "shop", "--app-url", "http://app.example.com/"))[0] == WRONG
    assert (await type_("projects", "set", "nowhere", "--name", "x"))[0] == MISSING


async def test_a_letter_before_an_end_needs_an_end(type_: Terminal):
    """Accounts of such a project never end, and nobody would be written to; ends may be switched off later."""
    await type_("projects", "create", "shop")
    assert (await type_("projects", "set", "shop", "--end-warning-days", "7"))[0] == WRONG
    await type_.json("projects", "set", "shop", "--end-warning-days", "7", "--unverified-days", "30")
    assert (await type_.json("projects", "set", "shop", "--unverified-days", "0"))["end_warning_days"] == 7


async def test_hosts(type_: Terminal):
    """Kept as browsers send them: small letters, A-labels, IPv6 in its shortest form; once each."""
    await type_("projects", "create", "shop")
    for hostname in (
        "App.Example.com", "app.example.com", "*.example.org", "localhost", "[::1]", "[0:0:0:0:0:0:0:2]", "münchen.de",
        "*.MÜNCHEN.de",
    ):  # fmt: skip
        found = await type_.json("platforms", "add", "shop", hostname)
    assert found["hostnames"] == [
        "*.example.org", "*.xn--mnchen-3ya.de", "[::1]", "[::2]", "app.example.com", "localhost", "xn--mnchen-3ya.de",
    ]  # fmt: skip
    assert found["apps"] == []
    found = await type_.json("platforms", "remove", "shop", "APP.example.com")
    assert "app.example.com" not in found["hostnames"]


async def test_what_an_earlier_release_kept_can_be_removed(type_: Terminal, pool: Pool):
    """As it was typed then, although it would be kept in another form today, or not at all."""
    await type_("projects", "create", "shop")
    for hostname in ("[0:0:0:0:0:0:0:1]", "[1:2]", "a--b"):
        await projects.add_platform(pool, "shop", hostname=hostname)
        assert (await type_.json("platforms", "remove", "shop", hostname))["hostnames"] == []


async def test_apps(type_: Terminal):
    """Ids of any device's kind and origins of web views, in small letters; removed as they were added."""
    await type_("projects", "create", "shop")
    for app in ("com.example.my_app", "com.Example.MyApp", "my_app", "capacitor://localhost", "Tauri://localhost"):
        found = await type_.json("platforms", "add", "shop", app, "--kind", "app")
    assert found["apps"] == [
        "capacitor://localhost", "com.example.my_app", "com.example.myapp", "my_app", "tauri://localhost",
    ]  # fmt: skip
    assert found["hostnames"] == []
    await type_("platforms", "add", "shop", "localhost")
    assert await type_.json("platforms", "list", "shop") == [
        {"kind": "web", "platform": "localhost"}, *({"kind": "app", "platform": app} for app in found["apps"]),
    ]  # fmt: skip
    assert (await type_("platforms", "list", "shop"))[1].splitlines()[:2] == ["KIND  PLATFORM", "web   localhost"]
    assert (await type_("platforms", "remove", "shop", "my_app"))[0] == MISSING
    assert (await type_("platforms", "remove", "shop", "com.example.my-app", "--kind", "app"))[0] == MISSING
    assert (await type_.json("platforms", "remove", "shop", "MY_APP", "--kind", "app"))["apps"] == found["apps"][
        :3
    ] + found["apps"][4:]


@pytest.mark.parametrize(
    "words",
    ["http://a.b", "a.b:80", "*", "a_b", "com.example.my_app", "*.*.b", "a..b", "a-.b", "a.b/", "b\u3002cd", "[::1",
     "[::g]",
     "a" * 64 + ".de", "https://localhost --kind app", "http://tauri.localhost --kind app", "*.example.com --kind app",
     "a/b --kind app", ".a --kind app", "capacitor://localhost/ --kind app", "capacitor://localhost:80 --kind app",
     "file://x --kind app", "é.app --kind app"],
)  # fmt: skip
async def test_each_kind_has_its_grammar(type_: Terminal, pool: Pool, words: str):
    """A platform in a wrong form ends with 2 and one line; nothing is kept."""
    await type_("projects", "create", "shop")
    code, out, err = await type_("platforms", "add", "shop", *words.split())
    assert (code, out, len(err.splitlines())) == (WRONG, "", 1), err
    assert (await pool.fetchrow("select (select count(*) from platforms) + (select count(*) from apps)"))[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "kept"),
    [
        (["--session-seconds", "7d", "--footer-text", "Shop Ltd"], 0, {"session_seconds": 604_800, "password_min": 64}),
        (["--password-max", "32"], WRONG, {"password_max": 256, "password_min": 64}),
    ],
)
async def test_two_operators_at_once(type_: Terminal, pool: Pool, words: list[str], code: int, kept: dict[str, int]):
    """A change waits for the one before it, takes none of its settings back, and is checked against them."""
    await type_("projects", "create", "shop")
    async with transaction(pool) as tx:
        await projects.change(tx, "shop", password_min=64)
        typed = asyncio.create_task(type_("projects", "set", "shop", *words))
        await until(lambda: pool.fetchrow(WAITING))
    assert (await typed)[0] == code
    assert (await type_.json("projects", "show", "shop")).items() >= kept.items()
