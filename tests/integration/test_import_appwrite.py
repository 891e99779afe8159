"""`python -m service import appwrite`: users come with what they have, once, and whatever the source does."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.cli.appwrite import server_api
from service.crypto.password_hashing import PasswordHashPool
from service.db import Pool
from service.store import projects, targets, users
from testkit.api import Api
from testkit.api_keys import key
from testkit.appwrite_server import KEY, PROJECT, AppwriteServer, user
from tests.integration.conftest import Terminal

_FIREBASE = {
    "salt": "42xEC+ixf3L2lw==", "saltSeparator": "Bw==",
    "signerKey": "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
}  # fmt: skip
_SCRYPT = (
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
)
# Published examples (tests/unit/test_imported_hashes.py): kind, hash, options of the database, password.
_HASHES = {
    "argon2": (
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", {}, "password",
    ),
    "bcrypt": ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", {}, "U*U"),
    "md5": ("5f4dcc3b5aa765d61d8327deb882cf99", {}, "password"),
    "sha": ("5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8", {"version": "sha1"}, "password"),
    "phpass": ("$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", {}, "test12345"),
    "scrypt": (
        _SCRYPT,
        {"salt": "SodiumChloride", "costCpu": 16384, "costMemory": 8, "costParallel": 1, "length": 64},
        "pleaseletmein",
    ),
    "scryptMod": (
        "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
        _FIREBASE, "user1password",
    ),
}  # fmt: skip
_USERS = [
    user(kind, password=text, hash=kind, hashOptions={"type": kind} | options)
    for kind, (text, options, _) in _HASHES.items()
]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch, cheap: None, project: projects.Project) -> None:
    """Short waits, cheap hashes, and a project to import into."""
    monkeypatch.setattr(server_api, "_PAUSES", (0, 0))
    monkeypatch.setattr(server_api, "PAGE", 3)
    monkeypatch.setenv("APPWRITE_API_KEY", KEY)


def words(source: AppwriteServer, *more: str) -> tuple[str, ...]:
    return ("import", "appwrite", "--project", "shop", "--endpoint", source.url, "--source-project", PROJECT, *more)


def dump(path: Path, *, secret: str | None = None) -> str:
    """Write the users as lines of the database's columns, with encrypted hashes if there is a key."""
    cipher, nonce = AESGCM((secret or "").encode()[:16].ljust(16, b"\0")), bytes(12)

    def column(each: dict) -> str:
        if not secret:
            return each["password"]
        sealed = cipher.encrypt(nonce, each["password"].encode(), None)
        data = {"data": base64.b64encode(sealed[:-16]).decode(), "method": "aes-128-gcm", "version": "1"}
        return json.dumps(data | {"iv": nonce.hex(), "tag": sealed[-16:].hex()})

    with path.open("w") as file:
        for each in _USERS:
            row = each | {name: json.dumps(each[name]) for name in ("hashOptions", "labels", "prefs")}
            row |= {"_uid": row.pop("$id"), "_createdAt": "2023-01-02 03:04:05.678", "status": 1}
            file.write(json.dumps(row | {"password": column(each), "targets": None}) + "\n")
    return str(path)


async def proved(pool: Pool) -> list[str]:
    """Name the kinds whose user is here with a hash that proves the password."""
    passwords, found = PasswordHashPool(threads=1), []
    for kind, (_, _, password) in _HASHES.items():
        known = await users.find(pool, "shop", user_id=kind)
        if known and known.password_hash and await passwords.verify(known.password_hash, password):
            found.append(kind)
    passwords.close()
    return found


async def test_users_come_with_what_they_have(type_: Terminal, pool: Pool):
    """Address, number, proofs, labels, preferences, block, dates and devices are as in the source.

    A dry run writes nothing, a second run doubles nothing, and `--update` takes over what has changed there.
    """
    device = {"$id": "phone", "providerType": "push", "identifier": "token", "providerId": "fcm", "name": "Pixel"}
    own = {"$id": "own", "providerType": "email", "identifier": "ann@example.com", "providerId": None, "name": ""}
    ann = user(
        "ann", name="Ann", phone="+4915112345678", emailVerification=True, phoneVerification=True, labels=["vip"],
        prefs={"theme": "pink"}, targets=[own, device], password=_HASHES["bcrypt"][0], hash="bcrypt",
        passwordUpdate="2023-05-06T07:08:09.000+00:00",
    )  # fmt: skip
    async with AppwriteServer([ann, user("bob", status=False), user("guest", email="")]) as source:
        told = await type_.json(*words(source, "--dry-run"))
        assert (told["dry_run"], told["imported"], len(await pool.fetch("select from users"))) == (True, 3, 0)
        told = await type_.json(*words(source))
        assert (told["imported"], told["without_password"], told["skipped"]) == (3, 2, {})
        found = await users.find(pool, "shop", user_id="ann")
        assert found
        assert (found.email, found.email_verified, found.phone, found.phone_verified) == (
            "ann@example.com", True, "+4915112345678", True,
        )  # fmt: skip
        assert (found.name, found.labels, found.prefs) == ("Ann", ["vip"], '{"theme":"pink"}')
        assert found.created_at == datetime(2023, 1, 2, 3, 4, 5, 678000, UTC)
        assert found.password_updated_at == datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC)
        assert [(each.id, each.identifier) for each in targets.list_of(found)][2:] == [("phone", "token")]
        bob = await users.find(pool, "shop", user_id="bob")
        assert bob
        assert bob.status == "blocked"

        told = await type_.json(*words(source, "--update"))
        assert (told["imported"], told["updated"], told["left"]) == (0, 0, 3)
        ann |= {"name": "Anna", "email": "anna@example.com", "prefs": {}, "passwordUpdate": "2024-01-01T00:00:00.000Z"}
        ann |= {"password": _HASHES["argon2"][0], "hash": "argon2"}
        assert (await type_.json(*words(source)))["left"] == 3
        assert (await type_.json(*words(source, "--update")))["updated"] == 1
        found = await users.find(pool, "shop", user_id="ann")
        assert found
        assert (found.name, found.email, found.email_verified) == ("Anna", "anna@example.com", True)
        assert (found.prefs, found.password_hash) == ("{}", _HASHES["argon2"][0])
        assert (await type_.json(*words(source, "--update")))["left"] == 3


async def test_every_kind_of_hash(type_: Terminal, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hash that the API tells whole is used; the others come from a dump, encrypted or not, alone or beside."""
    other = [user("odd", password="x", hash="whirlpool"), user("torn", password="zz", hash="bcrypt")]
    async with AppwriteServer([*_USERS, *other]) as source:
        code, out, err = await type_(*words(source, "--json"))
        assert (code, sum(map(len, json.loads(out)["skipped"].values()))) == (2, 3)
        assert json.loads(out)["skipped"] == {
            "the scrypt hash comes without its salt: take it from a dump": ["scrypt"],
            "the kind of its hash is not known here": ["odd"],
            "the bcrypt hash is malformed, or costs too much to prove": ["torn"],
        }
        assert not any(part in out + err for part in ("@", _HASHES["scrypt"][0], KEY))
        assert await proved(pool) == [kind for kind in _HASHES if kind != "scrypt"]
        secret = "a key of more than 16 characters"
        path = dump(tmp_path / "users.jsonl", secret=secret)
        code, _, err = await type_(*words(source, "--dump", path))
        assert (code, "users.jsonl is encrypted, and there is no key for it" in err) == (2, True)
        monkeypatch.setenv("APPWRITE_OPENSSL_KEY", "another key")
        code, _, err = await type_(*words(source, "--dump", path))
        assert (code, "users.jsonl is encrypted under another key" in err) == (2, True)
        monkeypatch.setenv("APPWRITE_OPENSSL_KEY", secret)
        code, out, _ = await type_(*words(source, "--dump", path, "--json"))
        assert (code, json.loads(out)["imported"]) == (2, 1)
        assert await proved(pool) == list(_HASHES)
    await pool.execute("delete from users")
    told = await type_.json("import", "appwrite", "--project", "shop", "--dump", dump(tmp_path / "plain.jsonl"))
    assert (told["imported"], await proved(pool)) == (7, list(_HASHES))
    (tmp_path / "cut.jsonl").write_text((tmp_path / "plain.jsonl").read_text()[:-40])
    code, _, err = await type_("import", "appwrite", "--project", "shop", "--dump", str(tmp_path / "cut.jsonl"))
    assert code == 2
    assert "line 7 is no user in JSON, or is cut off" in err


async def test_a_source_that_fails(type_: Terminal, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A busy source is asked again; one that stays away ends the command with code 6, and a refusal with code 2.

    The same command goes on at the state. No line has a key, an address or a hash.
    """
    state = tmp_path / "state"
    people = [user(f"user-{number}") for number in range(8)]
    async with AppwriteServer(people) as source:
        source.faults += [(429, {"Retry-After": "0"}, b"{}"), (503, {}, b"busy")]
        assert (await type_.json(*words(source, "--dry-run")))["imported"] == 8
        source.faults.append((200, {}, b'{"total": 8, "users": [{"$id": "us'))
        assert (await type_.json(*words(source, "--dry-run")))["imported"] == 8

        body = json.dumps({"total": 8, "users": people[:3]}).encode()
        source.faults += [(200, {}, body), *[(500, {}, b"")] * 3]
        code, _, err = await type_(*words(source, "--state", str(state)))
        assert (code, len(await pool.fetch("select from users"))) == (6, 3)
        assert "answers 500" in err
        assert f"the same command goes on where {state} stands" in err
        source.cursors.clear()
        told = await type_.json(*words(source, "--state", str(state)))
        assert (told["imported"], told["left"], source.cursors[0]) == (5, 0, "user-2")
        assert not state.exists()

        monkeypatch.setenv("APPWRITE_API_KEY", "wrong")
        code, _, refused = await type_(*words(source))
        assert code == 2
        assert "(401 general_unauthorized_scope)" in refused
        assert "quote" not in refused
        assert (await type_(*words(source)[:-1], "nowhere"))[0] == 2
        monkeypatch.setenv("APPWRITE_API_KEY", "two\nlines")
        assert (await type_(*words(source)))[0] == 2
        monkeypatch.delenv("APPWRITE_API_KEY")
        assert (await type_(*words(source)))[0] == 2
        source.faults += [(302, {"Location": "http://127.0.0.1:1/"}, b"")]
        monkeypatch.setenv("APPWRITE_API_KEY", KEY)
        assert "it redirects" in (await type_(*words(source)))[2]
        address = source.url
    assert (await type_("import", "appwrite", "--project", "shop", "--endpoint", address, "--source-project", "x"))[
        0
    ] == 6
    assert not any(part in err + refused for part in (KEY, "@example", "wrong"))


async def test_from_one_of_our_own(type_: Terminal, api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch):
    """Users of this service, which speaks the same API, come without hashes, which it tells nobody."""
    for name in ("ann", "bob", "eve", "dan"):
        await users.create(pool, "shop", user_id=name, email=f"{name}@example.com", name=name, password_hash=None)
    await projects.create(pool, "blog", name="Blog")
    monkeypatch.setenv("APPWRITE_API_KEY", (await key(pool, "users.read"))["X-Appwrite-Key"])
    endpoint = ("--endpoint", str(api.client.make_url("/v1")), "--source-project", "shop")
    told = await type_.json("import", "appwrite", "--project", "blog", *endpoint)
    assert (told["imported"], told["skipped"]) == (4, {})
