"""An Appwrite project in a MariaDB of its own, as its operator has it.

`python -m testkit.appwrite_mariadb >tests/integration/data/appwrite.sql` makes the dump of the tests anew. MariaDB is
the machine's: Debian's mariadb-server, or its packages unpacked into the folder that MARIADB_ROOT names.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TABLES = Path(__file__).with_name("appwrite_tables.sql")
# `_APP_OPENSSL_KEY_V1` of the installation.
KEY = "a key of more than 16 characters"
# An authenticator of OTPHP: 64 bytes in base32 without padding.
TOTP = base64.b32encode(bytes(range(64))).decode().rstrip("=")
CODES = [f"{number:010x}" for number in range(0xA0, 0xA6)]
BCRYPT, PASSWORD = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"
_BORN = "2023-01-02 03:04:05.678"
_PATIENCE = 60.0
Row = dict[str, Any]


def sealed(text: str, key: str = KEY) -> str:
    """Encrypt as Appwrite's filter `encrypt` does."""
    nonce = secrets.token_bytes(12)
    data = AESGCM(key.encode()[:16].ljust(16, b"\0")).encrypt(nonce, text.encode(), None)
    parts = {"data": base64.b64encode(data[:-16]).decode(), "method": "aes-128-gcm", "iv": nonce.hex()}
    return json.dumps(parts | {"tag": data[-16:].hex(), "version": "1"})


def user(id_: str, **facts: Any) -> Row:
    """Row of `users`; what is not given is as a new user's."""
    made: Row = {
        "_uid": id_, "_createdAt": _BORN, "_updatedAt": _BORN, "_permissions": '["read(\\"any\\")"]', "name": "",
        "email": f"{id_.lower()}@example.com", "phone": None, "status": 1, "labels": "[]", "passwordHistory": "[]",
        "password": sealed(BCRYPT), "hash": "bcrypt", "hashOptions": '{"type":"bcrypt","cost":5}',
        "passwordUpdate": _BORN, "prefs": "{}", "registration": _BORN, "emailVerification": 0, "phoneVerification": 0,
        "reset": 0, "mfa": 0, "mfaRecoveryCodes": "[]",
    }  # fmt: skip
    return made | facts


def identity(user_id: str, provider: str, uid: str, **facts: Any) -> Row:
    made = {"userId": user_id, "provider": provider, "providerUid": uid, "providerEmail": f"{user_id}@example.com"}
    return row(**made, providerAccessToken=sealed("a token of the provider"), scopes="[]", **facts)


def authenticator(user_id: str, *, secret: str = TOTP, verified: int = 1) -> Row:
    return row(userId=user_id, type="totp", verified=verified, data=sealed(json.dumps({"secret": secret})))


def target(user_id: str, identifier: str, **facts: Any) -> Row:
    made = {"userId": user_id, "providerType": "push", "providerId": "fcm", "identifier": identifier, "name": "Pixel"}
    return row(**made | facts)


def row(**facts: Any) -> Row:
    return {"_uid": secrets.token_hex(10), "_createdAt": _BORN, "_updatedAt": _BORN, **facts}


@dataclass(frozen=True)
class MariaDb:
    """A running MariaDB; nobody else reaches its socket."""

    folder: Path
    root: Path
    environment: dict[str, str] = field(repr=False)

    def program(self, name: str, *words: str, give: bytes | None = None) -> bytes:
        """Run a client."""
        path = self.root / "usr" / "bin" / name
        command = [str(path), "--no-defaults", "--user=root", f"--socket={self.folder / 's'}", *words]
        ran = subprocess.run(
            command, input=give, env=self.environment, capture_output=True, check=False, timeout=_PATIENCE * 10
        )
        if ran.returncode:
            raise RuntimeError(ran.stderr.decode())
        return ran.stdout

    def run(self, statements: str) -> bytes:
        return self.program("mariadb", "--default-character-set=utf8mb4", "appwrite", give=statements.encode())

    def fill(self, tables: dict[str, list[Row]]) -> None:
        """Make the tables of an Appwrite, and put rows into them."""
        create = "create database appwrite default character set utf8mb4"
        self.program("mariadb", f"--execute={create}")
        for number in sorted({table.split("_")[1] for table in tables} - {"console"}):
            self.run(TABLES.read_text().replace("_1_", f"_{number}_"))
        parts = [
            f"insert into `{table}` ({', '.join(f'`{name}`' for name in row)}) values "
            f"({', '.join(map(_literal, row.values()))});"
            for table, rows in tables.items()
            for row in rows
        ]
        self.run("start transaction;\n" + "\n".join(parts) + "\ncommit;\n")

    def dump(self, *words: str) -> bytes:
        """Dump as an operator does."""
        return self.program("mariadb-dump", "--single-transaction", *words, "appwrite")


def _literal(value: Any) -> str:
    """Write a value in hexadecimal: nothing of it has to be escaped."""
    if value is None or isinstance(value, int):
        return "null" if value is None else str(int(value))
    return f"convert(0x{value.encode().hex()} using utf8mb4)" if value else "''"


@contextmanager
def mariadb() -> Iterator[MariaDb]:
    """Start a MariaDB with an empty database; it ends with the block, and its data goes."""
    root = Path(os.environ.get("MARIADB_ROOT", "/"))
    libraries = ":".join(map(str, (root / "usr" / "lib").glob("*-linux-gnu*")))
    environment = {**os.environ, **({"LD_LIBRARY_PATH": libraries} if root != Path("/") else {})}
    with tempfile.TemporaryDirectory(prefix="mariadb-") as folder:
        server = MariaDb(Path(folder), root, environment)
        where = ["--no-defaults", f"--basedir={root / 'usr'}", f"--datadir={folder}/data", "--user=root"]
        install = [str(root / "usr/bin/mariadb-install-db"), *where, "--skip-test-db"]
        quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([*install, "--auth-root-authentication-method=normal"], check=True, **quiet)  # type: ignore[call-overload]
        options = [f"--socket={folder}/s", "--skip-networking", f"--lc-messages-dir={root / 'usr/share/mysql'}"]
        running = subprocess.Popen([str(root / "usr/sbin/mariadbd"), *where, *options], **quiet)  # type: ignore[call-overload]
        try:
            _wait_for(server.folder / "s")
            yield server
        finally:
            running.terminate()
            running.wait()


def _wait_for(socket: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not socket.exists():
        if time.monotonic() > until:
            raise TimeoutError("MariaDB does not start")
        time.sleep(0.05)


def small() -> dict[str, list[Row]]:
    """Users of every kind that an import meets, in two projects."""
    codes = json.dumps([sealed(code) for code in CODES])
    prefs = json.dumps({"note": 'two\nlines, "quoted" and \\ back; O\'Neil'})
    return {
        "_console_projects": [row(name="Shop") | {"_uid": "64f0c1"}, row(name="Blog") | {"_uid": "64f0c2"}],
        "_1_users": [
            user("ann", name="O'Neil \\ \"Ann\" 😀 ;--", phone="+4915112345678", emailVerification=1,
                 phoneVerification=1, labels='["vip"]', prefs=prefs, mfa=1, mfaRecoveryCodes=codes),
            user("bob", status=0, mfa=1),
            user("guest", email=None, password=None, passwordUpdate=None),
            user("a" * 36, email="long@example.com"),
            user("eve", name="two\nlines\0\x1a"),
            user("idn", email="dan@müller.example"), user("idn2", email="dan@xn--mller-kva.example"),
        ],
        "_1_identities": [
            identity("ann", "google", "110169484474386276334"), identity("ann", "microsoft", "87d349ed-44d7-43e1"),
            identity("ann", "twitch", "44322889"), identity("bob", "github", "583231"),
        ],
        "_1_authenticators": [authenticator("ann"), authenticator("bob", verified=0)],
        "_1_targets": [
            target("ann", "a token", _uid="phone"), target("ann", "ann@example.com", providerType="email"),
        ],
        "_1_memberships": [row(userInternalId="1", userId="ann", teamInternalId="1", teamId="team", confirm=1)],
        "_2_users": [user("other")],
    }  # fmt: skip


def main() -> None:
    with mariadb() as server:
        server.fill(small())
        sys.stdout.buffer.write(server.dump())


if __name__ == "__main__":
    main()
