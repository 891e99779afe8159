"""`projects export` and `projects apply`: settings as a file, secrets by the name of a variable."""

import json
from pathlib import Path

import pytest

from service.cli.exit_codes import WRONG
from service.db import Pool
from service.settings import Settings
from service.store import project_relays, projects, providers
from tests.integration.conftest import Terminal

FULL = """
[projects.shop]
name = "Shöp \\"2\\""
session_seconds = "30d"
otp_seconds = 90
mfa_factors = []
sms_countries = ["+49", "+43"]
private_signup = true
password_min = 10
accent_color = "#b00020"
smtp_url = "smtp://user@127.0.0.1:2525?tls=none"
smtp_password = { env = "SHOP_SMTP" }
mock_phones = { env = "SHOP_PHONES" }
hostnames = ["App.Example.com", "localhost"]
apps = ["com.example.shop"]

[projects.shop.limits]
"create_session.email" = "20/1h"
"mail.day" = "off"

[projects.shop.providers.google]
enabled = true
client_id = "id.apps"
client_secret = { env = "SHOP_GOOGLE" }

[projects."my.blog"]
"""
SECRETS = {"SHOP_SMTP": "p@ss-word", "SHOP_PHONES": "+4915100000001=135790", "SHOP_GOOGLE": "google-secret"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.toml").write_text(FULL)
    return tmp_path / "shop.toml"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def _changed(rows: list[dict]) -> dict[str, tuple]:
    return {f"{row['project']}.{row['setting']}": (row["before"], row["after"]) for row in rows}


async def test_a_file_makes_projects_and_a_dry_run_says_how(
    type_: Terminal, pool: Pool, settings: Settings, shop: Path, secrets: None
):
    """The dry run lists each difference and writes nothing; no secret is printed; the second run changes nothing."""
    dry = await type_.json("projects", "apply", str(shop), "--dry-run")
    assert await projects.list_all(pool) == []
    done = await type_.json("projects", "apply", str(shop))
    assert done == dry
    changed = _changed(done)
    assert changed["shop.session_seconds"] == (None, "30d")
    assert changed["shop.hostnames"] == (None, ["app.example.com", "localhost"])
    assert changed["shop.limits.mail.day"] == (None, "off")
    assert changed["shop.providers.google.client_secret"] == (None, "(secret)")
    assert [value for value in SECRETS.values() if value in json.dumps(done)] == []
    project = await projects.find(pool, "shop")
    assert project
    assert (project.name, project.otp_seconds, project.mfa_factors) == ('Shöp "2"', 90, [])
    assert project.mock_phones == {"+4915100000001": "135790"}
    relay = await project_relays.find(pool, "shop")
    assert relay
    assert "p%40ss-word" in project_relays.url_of(settings.key_ring, relay).reveal()
    (google,) = await providers.list_all(pool, settings.key_ring, "shop")
    assert google.client_secret
    assert google.client_secret.reveal() == "google-secret"
    assert await type_.json("projects", "apply", str(shop)) == []


async def test_what_is_exported_is_what_is_there(type_: Terminal, shop: Path, secrets: None, tmp_path: Path):
    """Export, then a dry run: no change, also where no variable is set; the file names secrets and holds none."""
    await type_("projects", "apply", str(shop))
    _, text, _ = await type_("projects", "export")
    assert [value for value in (*SECRETS.values(), "135790", "p%40ss") if value in text] == []
    assert 'client_secret = { env = "SHOP_GOOGLE_CLIENT_SECRET" }' in text
    assert '[projects."my.blog"]' in text
    (tmp_path / "all.toml").write_text(text)
    code, out, err = await type_("projects", "apply", str(tmp_path / "all.toml"), "--dry-run")
    assert (code, out) == (0, "")
    assert "SHOP_SMTP_PASSWORD is not set, so what is stored stays" in err
    assert err.endswith("no settings would change; nothing was written\n")


async def test_only_what_is_named_changes(type_: Terminal, shop: Path, secrets: None, tmp_path: Path, monkeypatch):
    """The rest stays as it is; a list is the whole list; another secret is told, and not shown."""
    await type_("projects", "apply", str(shop))
    monkeypatch.setenv("SHOP_GOOGLE", "newer-secret")
    part = tmp_path / "part.toml"
    part.write_text(
        '[projects.shop]\nhostnames = ["localhost"]\nsmtp_url = ""\n[projects.shop.limits]\n"mail.day" = "default"\n'
        '[projects.shop.providers.google]\nclient_secret = {env = "SHOP_GOOGLE"}\n'
    )
    assert _changed(await type_.json("projects", "apply", str(part))) == {
        "shop.hostnames": (["app.example.com", "localhost"], ["localhost"]),
        "shop.smtp_url": ("smtp://user@127.0.0.1:2525?tls=none", ""),
        "shop.smtp_password": ("(secret)", None),
        "shop.limits.mail.day": ("off", None),
        "shop.providers.google.client_secret": ("(secret)", "another secret"),
    }
    assert (await type_.json("projects", "show", "shop"))["session_seconds"] == 30 * 86_400


async def test_every_fault_of_a_file_is_told_with_its_line(type_: Terminal, pool: Pool, tmp_path: Path):
    """Exit code 2, and nothing is written; a secret that stands in the file isn't repeated."""
    file = tmp_path / "f.toml"
    file.write_text(
        "[projects.shop]\n"
        "colour = 1\n"  # 2
        'hostnames = [\n  "localhost",\n  "http://x",\n]\n'  # 3
        'session_seconds = "soon"\n'  # 7
        'private_signup = "on"\n'  # 8
        'smtp_password = "hunter2"\n'  # 9
        "password_min = true\n"  # 10
        "[projects.shop.limits]\n"
        'nothing = "1/1h"\n'  # 12
        "[projects.shop.providers.github]\n"
        "native = true\n"  # 14, told at 13
        "tenants = 3\n"  # 15
        "[projects.shop.providers.nobody]\n"  # 16
        '[projects."a b"]\n'  # 17
        "[project.shop]\n"  # 18
    )
    code, out, err = await type_("projects", "apply", str(file))
    assert (code, out) == (WRONG, "")
    assert sorted(int(line.removeprefix(f"{file}:").split(":")[0]) for line in err.splitlines()) == [
        2, 3, 7, 8, 9, 10, 12, 13, 15, 16, 17, 18,
    ]  # fmt: skip
    assert f"{file}:2: projects.shop.colour: there is no such setting\n" in err
    assert "hunter2" not in err
    assert await projects.list_all(pool) == []
    for text, said in (("[projects.x]\nname = \n", "line 2"), ("a = \xff", "decode")):
        file.write_bytes(text.encode("latin-1"))
        code, _, err = await type_("projects", "apply", str(file))
        assert (code, said in err) == (WRONG, True), err
    assert (await type_("projects", "apply", str(tmp_path / "none.toml")))[0] == WRONG


async def test_settings_that_do_not_go_together_are_refused(type_: Terminal, pool: Pool, tmp_path: Path):
    """Also by a dry run: it does what a real run does, and takes it back. A missing secret is named with its line."""
    file = tmp_path / "f.toml"
    for text, said in (
        ("passkeys = true", "shop: --passkeys on needs --rp-id"),
        ('smtp_url = "smtp://user@localhost"\nsmtp_password = { env = "NOT_SET" }', f"{file}:3: projects.shop.smtp"),
        ('smtp_url = "smtp://user@localhost"', "smtp_password = "),
        ("providers.google.enabled = true", "an enabled provider needs --client-id"),
    ):
        file.write_text(f"[projects.shop]\n{text}\n")
        code, _, err = await type_("projects", "apply", str(file), "--dry-run")
        assert (code, said in err) == (WRONG, True), err
    assert await projects.list_all(pool) == []


async def test_what_was_changed_before_a_refused_project_is_told(type_: Terminal, pool: Pool, tmp_path: Path):
    """It stays changed, so it is listed as by a run that succeeds, then the fault; the code is that of the fault."""
    file, fault = tmp_path / "f.toml", "shop: --passkeys on needs --rp-id, the host that passkeys are made for\n"
    await type_("projects", "create", "blog")
    file.write_text('[projects.blog]\nname = "Blog"\n[projects.shop]\npasskeys = true\n')
    table = "PROJECT  SETTING  BEFORE  AFTER\nblog     name     blog    Blog\n"
    dry = await type_("projects", "apply", str(file), "--dry-run")
    assert dry == (WRONG, table, f"1 setting would change; nothing was written\n{fault}")
    assert await type_("projects", "apply", str(file)) == (WRONG, table, f"1 setting changed\n{fault}")
    assert await type_("projects", "apply", str(file)) == (WRONG, "", fault)
    file.write_text(file.read_text().replace("Blog", "News"))
    code, out, err = await type_("projects", "apply", str(file), "--json")
    assert (code, _changed(json.loads(out)), err) == (WRONG, {"blog.name": ("Blog", "News")}, fault)
    assert [(each.id, each.name) for each in await projects.list_all(pool)] == [("blog", "News")]


async def test_settings_of_the_service_are_no_projects_secrets(type_: Terminal, pool: Pool, tmp_path: Path):
    """A file that others may propose can't have a key ring or a database's password sent to a server that it names."""
    file = tmp_path / "f.toml"
    for name in ("SECRET_KEYS", "database_url"):
        file.write_text(
            f'[projects.shop]\nsmtp_url = "smtp://user@mail.example.com"\nsmtp_password = {{ env = "{name}" }}\n'
        )
        assert await type_("projects", "apply", str(file)) == (
            WRONG,
            "",
            f"{file}:3: projects.shop.smtp_password: {name} is a setting of the service, and no project's secret\n",
        )
    assert await projects.list_all(pool) == []
