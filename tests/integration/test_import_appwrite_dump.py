"""`python -m service import appwrite --dump`: what a real MariaDB has dumped, whole or not at all.

tests/integration/data/appwrite.sql is made by `python -m testkit.appwrite_mariadb`.
"""

import gzip
import json
import re
from pathlib import Path

import pytest

from service.cli.appwrite import server_api
from service.crypto.secret import Secret
from service.db import Pool
from service.store import authenticators, identities, identity_lists, projects, providers, targets, users
from service.store.identity_lists import IdentityFilter, IdentityPage
from testkit.api import Api
from testkit.appwrite_mariadb import CODES, KEY, PASSWORD, TOTP
from testkit.appwrite_server import KEY as API_KEY
from testkit.appwrite_server import PROJECT, AppwriteServer, user
from testkit.factors import App, Person
from tests.integration.conftest import Terminal

DUMP = Path(__file__).parent / "data" / "appwrite.sql"
_IMPORT = ("import", "appwrite", "--project", "shop", "--source-project", "64f0c1", "--dump")
_TAKEN = {
    "imported": 5, "updated": 0, "left": 0, "without_password": 1, "identities": 2, "authenticators": 1,
    "recovery_codes": 6, "mfa_without_app": 1, "devices_left_out": 0,
    "identities_left_out": {
        "microsoft tells this service another id of the same user": 1, "twitch is not supported here": 1,
    },
}  # fmt: skip
_SKIPPED = {
    "its address or number is another user's here": ["idn2"],
    "Invalid `name` param: Value must not contain control characters": ["eve"],
}


@pytest.fixture(autouse=True)
async def _ready(monkeypatch: pytest.MonkeyPatch, cheap: None, pool: Pool, project: projects.Project) -> None:
    """Short waits, cheap hashes, and a project with two providers to import into."""
    monkeypatch.setattr(server_api, "_PAUSES", (0, 0))
    monkeypatch.setattr(server_api, "PAGE", 3)
    monkeypatch.setenv("APPWRITE_OPENSSL_KEY", KEY)
    monkeypatch.setenv("APPWRITE_API_KEY", API_KEY)
    for name in ("google", "github"):
        await providers.save(pool, "shop", name, enabled=True, client_id="id")


async def test_a_dump_of_mariadb(type_: Terminal, api: Api, pool: Pool, tmp_path: Path):
    """Users come with identities and second factors: the app's code and a recovery code are right here, once.

    The report names who was skipped and why. A second run changes nothing, and nothing of a secret is told.
    """
    code, out, err = await type_(*_IMPORT, str(DUMP), "--dry-run", "--json")
    told = json.loads(out)
    assert (code, told.pop("dry_run"), await pool.fetch("select from users")) == (2, True, [])
    assert (told.pop("skipped"), told) == (_SKIPPED, _TAKEN)
    packed = tmp_path / "appwrite.sql.gz"
    packed.write_bytes(gzip.compress(DUMP.read_bytes()))
    code, out, err = await type_(*_IMPORT, str(packed), "--json")
    told = json.loads(out)
    assert (code, told.pop("skipped"), told) == (2, _SKIPPED, _TAKEN)
    assert not any(part in out + err for part in ("@", TOTP, CODES[0], "110169484474386276334", KEY))

    ann = await users.find(pool, "shop", user_id="ann")
    assert ann
    assert (ann.name, ann.phone_verified, ann.labels, ann.mfa) == ('O\'Neil \\ "Ann" 😀 ;--', True, ["vip"], True)
    assert json.loads(ann.prefs) == {"note": 'two\nlines, "quoted" and \\ back; O\'Neil'}
    assert [each.identifier for each in targets.list_of(ann)][2:] == ["a token"]
    found = await identity_lists.page(pool, "shop", wanted=IdentityFilter(user_id=None), page=IdentityPage(limit=9))
    assert {(each.user_id, each.issuer, each.subject, each.email_verified) for each in found} == {
        ("ann", "https://accounts.google.com", "110169484474386276334", False),
        ("bob", "https://github.com", "583231", False),
    }
    assert await users.find(pool, "shop", user_id="a" * 36)

    person = Person(api, pool, await api.sign_in("ann@example.com", PASSWORD))
    assert (await person.call("GET", "/v1/account")).status == 401
    assert (await person.prove("recoveryCode", CODES[3].upper())).status == 200
    assert (await person.prove("recoveryCode", CODES[3])).status == 401
    assert (await person.prove("totp", "000000")).status == 401
    app = App(pool, Secret(TOTP + "="))
    assert (await person.prove("totp", await app.code())).status == 200
    assert (await person.call("GET", "/v1/account")).data["mfa"] is True

    code, out, _ = await type_(*_IMPORT, str(DUMP), "--json", "--update")
    again = json.loads(out)
    assert (again["imported"], again["updated"], again["left"]) == (0, 0, 5)
    assert (await person.prove("recoveryCode", CODES[3])).status == 401


async def test_what_is_refused_as_a_whole(type_: Terminal, pool: Pool, tmp_path: Path, monkeypatch):
    """A dump that can't be read to its end, or under this key, is one line of error; nobody has been imported then."""
    whole, made = DUMP.read_bytes(), tmp_path / "made.sql"
    users_of_two = whole.index(b"INSERT INTO `_2_users`")
    cases = {
        "it is cut off": whole[: whole.index(b"UNLOCK TABLES")],
        "no row as mariadb-dump writes it, or is cut off": whole[: users_of_two + 60],
        "a text is not UTF-8": whole.replace("😀".encode(), b"\xff"),
        "its texts are latin1": whole.replace(b"SET NAMES utf8mb4", b"SET NAMES latin1", 1),
        "columns are not told": whole.replace(b"CREATE TABLE", b"create table"),
        "a column of _1_users is no JSON": whole.replace(b"'[\\\"vip\\\"]'", b"'[\\\"vip'"),
        "is there twice": whole.replace(b"CREATE TABLE `_2_users`", b"CREATE TABLE `_1_users`"),
        "tables that projects share": whole.replace(b"`accessedAt`", b"`_tenant`"),
        "has no users": b"-- MariaDB dump 10\n-- Dump completed on 2026-11-30\n",
        "is a dump of Postgres": b"PGDMP\x01\x0e",
        "its end is missing": gzip.compress(whole)[:900],
        "line 1 is no user in JSON": b"users of our shop\n",
        "made.sql is empty": b"",
    }
    for fault, data in cases.items():
        made.write_bytes(data)
        code, _, err = await type_(*_IMPORT, str(made))
        assert (code, fault in err, err.count("\n")) == (2, True, 1), (fault, err)
    for words, fault in (
        (("--source-project", "nowhere"), "but of: 64f0c1, 64f0c2"), (("--source-project", "64f0c2"), ""),
    ):  # fmt: skip
        code, _, err = await type_(*_IMPORT[:-3], *words, "--dump", str(DUMP), "--dry-run")
        assert (code, fault in err) == (2 if fault else 0, True)
    made.write_bytes(re.sub(rb"CREATE TABLE `_(2|console)_.*?UNLOCK TABLES;", b"", whole, flags=re.DOTALL))
    assert json.loads((await type_(*_IMPORT, str(made), "--dry-run", "--json"))[1])["imported"] == 5
    code, _, err = await type_(*_IMPORT[:-3], "--dump", str(DUMP))
    assert "name one by --source-project: 64f0c1, 64f0c2" in err
    monkeypatch.setenv("APPWRITE_OPENSSL_KEY", "another key")
    assert "is encrypted under another key" in (await type_(*_IMPORT, str(DUMP)))[2]
    monkeypatch.delenv("APPWRITE_OPENSSL_KEY")
    err = (await type_(*_IMPORT, str(DUMP)))[2]
    assert "is encrypted, and there is no key for it: give" in err
    assert "APPWRITE_OPENSSL_KEY, or in the file of --dump-key-file" in err
    assert await pool.fetch("select from users") == []
    code, out, _ = await type_(*_IMPORT, str(DUMP), "--without-passwords", "--without-factors", "--json")
    assert (json.loads(out)["imported"], json.loads(out)["authenticators"]) == (5, 0)


async def test_beside_the_api(type_: Terminal, pool: Pool):
    """A dump adds to users of the API what that doesn't tell; `--update` adds it to those who are here without it.

    An identity that another user has here stays that user's.
    """
    there = [user("ann", mfa=True), user("bob", mfa=True, password="", hash="")]
    async with AppwriteServer(there) as source:
        words = ("import", "appwrite", "--project", "shop", "--endpoint", source.url, "--source-project", PROJECT)
        told = await type_.json(*words)
        assert (told["imported"], told["mfa_without_app"], told["identities"]) == (2, 2, 0)
        bob = await users.find(pool, "shop", user_id="bob")
        assert bob
        subject = identities.Subject("google", "https://accounts.google.com", "110169484474386276334")
        await identities.create(pool, bob, subject, email="", email_verified=False)
        await pool.execute("update users set mfa = false")
        assert (await type_.json(*words, "--dump", str(DUMP), "--update"))["updated"] == 2
        assert (await type_.json(*words, "--dump", str(DUMP), "--update"))["left"] == 2
        ann = await users.find(pool, "shop", user_id="ann")
        assert ann
        assert (ann.mfa, await authenticators.is_verified(pool, ann), await identities.count(pool, ann)) == (
            True,
            True,
            0,
        )
        assert await identities.count(pool, bob) == 2
        await pool.execute("delete from users where id = 'ann'")
        told = await type_.json(*words, "--dump", str(DUMP))
        assert (told["authenticators"], told["identities"]) == (1, 0)
        assert told["identities_left_out"]["they are of another user here"] == 1
