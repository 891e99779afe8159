"""`python -m service`: what an operator types, and what the exit code says."""

import hashlib
import json
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from devstack.servers import free_port
from service.cli.exit_codes import AWAY, EXISTS, MISSING, UNFIT
from service.cli.projects.options import OPTIONS
from service.db import Pool
from testkit import processes
from testkit.images import png
from testkit.patience import PATIENCE
from tests.integration.conftest import Terminal

ROOT = Path(__file__).parent.parent.parent
COMMANDS = [
    "serve", "migrate", "projects create", "projects list", "projects show", "projects set", "projects delete",
    "secret-keys status", "secret-keys reseal",
    "platforms add", "platforms list", "platforms remove", "keys create", "keys list", "keys revoke",
]  # fmt: skip


@pytest.mark.parametrize("command", ["", *COMMANDS, "projects", "platforms", "keys"])
async def test_every_command_explains_itself(type_: Terminal, command: str):
    """--help answers 0 and says something, without settings or servers."""
    code, out, _ = await type_(*command.split(), "--help")
    assert code == 0
    assert "usage: python -m service" in out
    assert "--json" in out or command in ("projects", "platforms", "keys")


@pytest.mark.parametrize(
    "words",
    ["", "nothing", "projects", "projects create", "projects set shop --nothing 1", "projects set shop --plain-http 5",
     "projects set shop --password-min many", "platforms add shop a.b --kind host",
     "keys create shop", "keys create shop --name x", "keys create shop --name x --scopes users.read --days soon"],
)  # fmt: skip
async def test_wrong_words_are_two(type_: Terminal, words: str):
    """Wrong arguments end with 2 and the usage."""
    code, _, err = await type_(*words.split())
    assert code == 2
    assert err.startswith("usage: python -m service")


@pytest.mark.parametrize(
    "words",
    ["projects list --nothing", "limits reset shop --address 127.0.0.1", "keys list shop other", "serve --port 1",
     "users sessions shop ann --nothing"],
)  # fmt: skip
async def test_a_word_too_many_is_told_by_the_command_itself(type_: Terminal, words: str):
    """Its own few lines of usage, and not those of the whole program."""
    code, out, err = await type_(*words.split())
    command = " ".join(words.split()[: 1 if words.startswith("serve") else 2])
    assert (code, out) == (2, "")
    assert err.startswith(f"usage: python -m service {command} ")
    assert "positional arguments" not in err
    assert err.splitlines()[-1].startswith(f"python -m service {command}: error: unrecognized arguments: ")


@pytest.mark.parametrize("project_id", ["", "a b", "-x", ".x", "x" * 37, "ä", "a/b"])
async def test_a_malformed_project_id_is_wrong_words(type_: Terminal, pool: Pool, project_id: str):
    """An id that no client could send is refused before Postgres is asked."""
    code, _, err = await type_("projects", "create", "--", project_id)
    assert code == 2, err
    assert (await pool.fetchrow("select count(*) from projects"))[0] == 0


async def test_a_projects_life(type_: Terminal):
    """Create, list, show and set; what was not set stays; the same id again is 3."""
    made = await type_.json("projects", "create", "shop", "--name", "The Shop")
    assert (made["id"], made["name"], made["reveal_unknown_users"], made["hostnames"]) == (
        "shop",
        "The Shop",
        False,
        [],
    )
    assert (await type_("projects", "create", "shop"))[0] == EXISTS == 3
    changed = await type_.json("projects", "set", "shop", "--password-min", "12", "--plain-http", "on")
    assert changed == made | {"password_min": 12, "plain_http": True}
    assert await type_.json("projects", "show", "shop") == changed
    await type_("projects", "create", "alpha")
    assert [one["id"] for one in await type_.json("projects", "list")] == ["alpha", "shop"]
    assert (await type_.json("projects", "set", "shop", "--plain-http", "off"))["plain_http"] is False


async def test_every_setting_of_a_project_can_be_set(type_: Terminal, tmp_path: Path):
    """One option a column, a new project has what the option says; nothing an operator may change needs SQL."""
    (tmp_path / "logo.png").write_bytes(png())
    typed = {"N": ("32", 32), "on|off": ("true", True), "TIME": ("1h", 3600), "LANGUAGE": ("fr", "fr"),
             "URL": ("https://x.example.com/", "https://x.example.com/"), "#RRGGBB": ("#ABCDEF", "#abcdef"),
             "FILE": (str(tmp_path / "logo.png"), "image/png"), "A,B": ("custom,totp", ["totp", "custom"]),
             "ask|trust": ("trust", "trust"), "link|first-tab": ("first-tab", "first-tab"),
             "open|closed|domains|invitation": ("closed", "closed"),
             "HOST": ("Example.com", "example.com"), "+A,+B": ("+49,+43", ["+49", "+43"]),
             "NUMBER=CODE,...": ("+491701234567=123456", {"+491701234567": "123456"})}  # fmt: skip
    made = await type_.json("projects", "create", "shop")
    fixed = {"id", "created_at", "limits", "hostnames", "apps"}
    assert {option.name for option in OPTIONS} == made.keys() - fixed
    for option in OPTIONS:
        if option.name not in ("name", "logo"):
            assert made[option.name] == option.parse(option.usual) if option.usual else not made[option.name]
        value, wanted = typed.get(option.values, ("x@example.com", "x@example.com"))
        if option.name == "smtp_url":
            value, wanted = "smtp://relay.example.com", "relay.example.com:587"
        if option.name == "redirect_schemes":
            value, wanted = "com.example.shop", ["com.example.shop"]
        if option.name in ("sign_up_domains", "test_domains"):
            value, wanted = "shop.example,example.com", ["shop.example", "example.com"]
        changed = await type_.json("projects", "set", "shop", option.flag, value)
        assert changed[option.name] == wanted
    assert changed.keys() == made.keys()


async def test_what_is_not_there_is_four(type_: Terminal):
    """An object that isn't there is named in one line, with exit code 4."""
    await type_("projects", "create", "shop")
    for words in ("projects show nowhere", "projects set nowhere --name x", "platforms add nowhere a.b",
                  "platforms remove shop a.b", "keys create nowhere --name x --scopes users.read",
                  "keys list nowhere", "keys revoke shop 0000", "platforms list nowhere",
                  "projects delete nowhere --yes"):  # fmt: skip
        code, out, err = await type_(*words.split())
        assert (code, out) == (MISSING, "") == (4, ""), words
        assert len(err.splitlines()) == 1


async def test_a_key_is_shown_once_and_stored_as_a_digest(type_: Terminal, pool: Pool):
    """The database holds SHA-256 of the key and no piece of it; no later command shows it again.

    Its days are counted by the database's clock, whatever the operator's says.
    """
    await type_("projects", "create", "shop")
    made = await type_.json(
        "keys", "create", "shop", "--name", "mail", "--scopes", "users.read, users.write", "--days", "30"
    )
    assert made["scopes"] == ["users.read", "users.write"]
    assert made["key"].startswith("key_")
    assert len(made["key"]) == 68
    row = await pool.fetchrow(
        "select secret_hash, api_keys::text as everything, expires_at - created_at as life from api_keys"
    )
    assert row["secret_hash"] == hashlib.sha256(made["key"].encode()).digest()
    assert made["key"][4:] not in row["everything"]
    assert row["life"] == timedelta(days=30)
    assert made["expires_at"]
    _, listed, _ = await type_("keys", "list", "shop", "--json")
    assert made["key"] not in listed
    assert [one["id"] for one in json.loads(listed)] == [made["id"]]
    assert (await type_.json("keys", "revoke", "shop", made["id"])) == {"revoked": made["id"]}
    assert (await pool.fetchrow("select count(*) from api_keys"))[0] == 0


async def test_people_get_lines_and_tables(type_: Terminal):
    """A line a fact, a table for several; with --json, before or after the command, programs get all facts."""
    await type_("projects", "create", "shop", "--name", "Shop")
    _, out, _ = await type_("projects", "show", "shop")
    assert out.splitlines()[:2] == ["id: shop", "name: Shop"]
    assert "hostnames: -" in out
    assert "plain_http: no" in out
    _, out, _ = await type_("projects", "list")
    assert out.splitlines()[0].split() == ["ID", "NAME", "LOCALE", "HOSTNAMES", "APPS", "CREATED", "AT"]
    assert out.splitlines()[1].split()[:5] == ["shop", "Shop", "en", "-", "-"]
    _, out, _ = await type_("--json", "projects", "show", "shop")
    assert json.loads(out)["id"] == "shop"


async def test_migrate_says_what_it_did(type_: Terminal):
    """`migrate` lists what it applied: nothing on a database that is up to date."""
    assert await type_.json("migrate") == {"applied": []}


async def test_unfit_settings_are_five(type_: Terminal, monkeypatch: pytest.MonkeyPatch):
    """Invalid settings end with 5 and a line for each."""
    monkeypatch.setenv("PORT", "x")
    monkeypatch.delenv("REDIS_URL")
    code, _, err = await type_("projects", "list")
    assert code == UNFIT == 5
    assert len(err.splitlines()) == 3


async def test_a_rule_out_of_bounds_changes_nothing(type_: Terminal):
    """A value that the schema forbids is refused as a whole."""
    made = await type_.json("projects", "create", "shop")
    code, _, err = await type_("projects", "set", "shop", "--name", "New", "--session-seconds", "0")
    assert code != 0
    assert err
    assert await type_.json("projects", "show", "shop") == made


def test_the_program_itself():
    """As typed in a shell: help on standard output, exit code 0; wrong words on standard error, 2."""
    for words, code in ((["--help"], 0), (["projects"], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "service", *words], cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == code
        assert "python -m service" in (done.stderr if code else done.stdout)


async def test_a_port_that_is_taken_is_named(environment: dict[str, str], pool: Pool):
    """A process that can't listen names the port, and does not blame the database."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = environment | {"HOST": "127.0.0.1", "PORT": port, "HEALTH_PORT": str(free_port())}
        running = await processes.start("service", "serve", environment=words)
        code = await running.ended()
    assert code == AWAY
    assert running.lines[-1] == f"can't listen on 127.0.0.1:{port}: another process has it: end that, or set PORT"
