"""`python -m service users …`: the same acts as the Users API has, in words."""

import asyncio
import io
from pathlib import Path

import bcrypt
import orjson
import pytest

from service.__main__ import main
from service.crypto.password_hashing import PasswordHashPool
from service.db import Pool
from service.settings import Settings
from service.store import projects, users


class Terminal:
    """Types commands; what they print is in `out` and `err`, as JSON where they succeed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch
        self.out, self.err = "", ""

    async def type(self, *words: str, stdin: str | None = None):
        """The exit code."""
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((stdin or "").encode())))
        try:
            code = await asyncio.to_thread(main, words)
        except SystemExit as refusal:
            code = refusal.code
        self.out, self.err = self._capsys.readouterr()
        return code

    async def tell(self, *words: str, stdin: str | None = None):
        """The answer of a command that succeeds."""
        assert await self.type("--json", "users", *words, stdin=stdin) == 0, self.err
        return orjson.loads(self.out)


@pytest.fixture
def terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    project: projects.Project,
) -> Terminal:
    return Terminal(capsys, monkeypatch)


async def test_a_user_is_made_and_shown(terminal: Terminal, pool: Pool):
    """The password comes from standard input and fits; the user is found by id and by address; no hash is shown."""
    words = ("create", "shop", "--id", "ann", "--email", "Ann@Example.com", "--name", "Ann", "--verified", "on")
    made = await terminal.tell(*words, "--labels", "vip,beta", "--password", stdin="correct horse\n")
    assert made["email"] == "ann@example.com"
    assert (made["email_verified"], made["labels"], made["has_password"]) == (True, ["vip", "beta"], True)
    assert "hash" not in terminal.out
    assert await terminal.tell("show", "shop", "ann") == await terminal.tell("show", "shop", "ANN@example.com") == made
    found = await users.find(pool, "shop", user_id="ann")
    passwords = PasswordHashPool(threads=1)
    assert found
    assert await passwords.verify(found.password_hash, "correct horse")
    passwords.close()
    assert await terminal.type("users", "show", "shop", "ann") == 0
    assert "email: ann@example.com\n" in terminal.out


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["create", "shop", "--email", "nobody"], None),
        (["create", "shop", "--id", "../x"], None),
        (["create", "shop", "--labels", "a b"], None),
        (["create", "shop", "--password"], "short\n"),
        (["create", "shop", "--password"], ""),
        (["create", "shop", "--verified", "perhaps"], None),
        (["create", "shop", "--name", "x" * 129], None),
        (["list", "shop", "--limit", "0"], None),
        (["logs", "shop", "ann", "--limit", "-1"], None),
        (["import", "shop", "/nowhere/users.jsonl"], None),
        (["create", "shop", "--password", "correct horse"], None),
        (["create"], None),
    ],
)
async def test_wrong_words(terminal: Terminal, pool: Pool, words: list[str], stdin: str | None):
    """A value that the API would refuse is refused here; no password stands in a command: code 2."""
    await users.create(pool, "shop", user_id="ann", email=None, name="", password_hash=None)
    assert await terminal.type("users", *words, stdin=stdin) == 2
    assert terminal.err
    assert "Traceback" not in terminal.err
    assert len(await pool.fetch("select * from users")) == 1


async def test_what_is_there_and_what_is_not(terminal: Terminal):
    """Taken ids and addresses are code 3; projects, users and sessions that are not there are code 4."""
    await terminal.tell("create", "shop", "--id", "ann", "--email", "ann@example.com")
    await terminal.tell("create", "shop", "--id", "bob")
    assert await terminal.type("users", "create", "shop", "--id", "ann") == 3
    assert await terminal.type("users", "set", "shop", "bob", "--email", "ann@example.com") == 3
    for words in (
        ["list", "nowhere"], ["create", "nowhere"], ["show", "shop", "carol"], ["block", "shop", "x@example.com"],
        ["delete", "nowhere", "ann"], ["list", "shop", "--after", "carol"], ["set", "shop", "carol", "--name", "C"],
        ["end-sessions", "shop", "ann", "--session", "none"], ["import", "nowhere"],
    ):  # fmt: skip
        assert await terminal.type("users", *words) == 4, words
        assert terminal.err


async def test_lists(terminal: Terminal):
    """Oldest first or newest first, a page after another, narrowed by a literal search."""
    for name in ("a_1", "b%2", "a-3"):
        await terminal.tell("create", "shop", "--id", f"u.{name[-1]}", "--name", name)

    async def ids(*words: str) -> list[str]:
        return [user["id"] for user in await terminal.tell("list", "shop", *words)]

    assert await ids() == ["u.1", "u.2", "u.3"]
    assert await ids("--newest", "--limit", "2") == ["u.3", "u.2"]
    assert await ids("--after", "u.1", "--limit", "1") == ["u.2"]
    assert await ids("--search", "a_") == ["u.1"]
    assert await ids("--search", "%") == ["u.2"]


async def test_changes(terminal: Terminal, pool: Pool):
    """Only what is named changes; each change is an event of the operator's."""
    await terminal.tell("create", "shop", "--id", "ann", "--email", "ann@example.com", "--name", "Ann")
    words = ("--email", "new@example.com", "--verified", "on", "--labels", "vip", "--password")
    changed = await terminal.tell("set", "shop", "ann", *words, stdin="another horse")
    assert (changed["email"], changed["name"], changed["labels"]) == ("new@example.com", "Ann", ["vip"])
    assert (changed["email_verified"], changed["has_password"]) == (True, True)
    assert (await terminal.tell("set", "shop", "ann", "--name", ""))["name"] == ""
    assert (await terminal.tell("set", "shop", "ann", "--labels", ""))["labels"] == []
    assert (await terminal.tell("block", "shop", "ann"))["status"] == "blocked"
    assert (await terminal.tell("unblock", "shop", "ann"))["status"] == "active"
    assert await terminal.tell("sessions", "shop", "ann") == []
    assert await terminal.tell("end-sessions", "shop", "ann") == {"user": "ann", "sessions": 0}
    assert await terminal.tell("logs", "shop", "ann") == []
    assert await terminal.tell("delete", "shop", "ann") == {"deleted": "ann"}
    names = [row["name"] for row in await pool.fetch("select name from events order by at, id")]
    assert names == [
        "users.create", "users.update.email", "users.update.verification", "users.update.labels",
        "users.update.password", "users.update.name", "users.update.labels", "users.update.status",
        "users.update.status", "users.sessions.delete", "users.delete",
    ]  # fmt: skip
    assert {row["user_agent"] for row in await pool.fetch("select user_agent from events")} == {"accounts-cli"}


async def test_import(terminal: Terminal, pool: Pool, tmp_path: Path):
    """Every good line becomes a user; the bad ones are named by number; run again, what is there is left alone."""
    line = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    lines = [
        {"email": "Ann@example.com", "id": "ann", "name": "Ann", "verified": True, "hash": line},
        {"email": "bob@example.com"},
    ]
    good = b"".join(orjson.dumps(entry) + b"\n" for entry in lines)
    file = tmp_path / "users.jsonl"
    file.write_bytes(good)
    assert await terminal.tell("import", "shop", str(file)) == {"imported": 2, "refused": []}
    ann = await users.find(pool, "shop", user_id="ann")
    assert ann
    assert (ann.email, ann.email_verified, ann.password_hash) == ("ann@example.com", True, line)
    assert await terminal.type("--json", "users", "import", "shop", stdin=good.decode()) == 3
    assert orjson.loads(terminal.out)["imported"] == 0
    bad = ['{"id": "x"}', "[]", "{", '{"email": "c@example.com", "hash": "plain"}', '{"email": "d@example.com"}']
    assert await terminal.type("--json", "users", "import", "shop", "-", stdin="\n".join(bad)) == 2
    answer = orjson.loads(terminal.out)
    assert answer["imported"] == 1
    assert [refusal.partition(":")[0] for refusal in answer["refused"]] == [f"line {number}" for number in range(1, 5)]
    assert await terminal.type("users", "import", "shop", "-", stdin="[]\n\n{\n") == 2
    assert [line.partition(":")[0] for line in terminal.err.splitlines()] == ["line 1", "line 3"]
    assert terminal.out == "imported: 0\nrefused: 2\n"


async def test_an_export_is_imported_as_it_was(terminal: Terminal, pool: Pool, tmp_path: Path):
    """Users come back with their hashes, numbers, labels, preferences and blocks; the file is its owner's alone."""
    await projects.create(pool, "blog", name="Blog")
    line = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    lines = [
        {"id": "ann", "email": "ann@example.com", "verified": True, "name": "Ann", "phone": "+4915112345678",
         "phone_verified": True, "labels": ["vip"], "prefs": {"theme": "pink"}, "hash": line},
        {"id": "bob", "email": "bob@example.com", "blocked": True},
        {"id": "eve", "phone": "+4915112345679"},
    ]  # fmt: skip
    text = b"".join(orjson.dumps(entry) + b"\n" for entry in lines)
    await terminal.tell("import", "shop", stdin=text.decode())
    await users.create(pool, "shop", user_id="guest", email=None, name="", password_hash=None)
    file = tmp_path / "users.jsonl"
    told = await terminal.tell("export", "shop", str(file), "--hashes")
    assert told == {"exported": 3, "without_address_or_number": 1}
    assert [orjson.loads(each) for each in file.read_bytes().splitlines()] == lines
    assert file.stat().st_mode & 0o777 == 0o600
    assert await terminal.type("users", "export", "shop", str(file)) == 2
    assert await terminal.tell("import", "blog", str(file)) == {"imported": 3, "refused": []}
    assert await terminal.type("users", "export", "blog") == 0
    assert [orjson.loads(each) for each in terminal.out.splitlines()] == [
        {name: value for name, value in entry.items() if name != "hash"} for entry in lines
    ]
    ann, bob = [await users.find(pool, "blog", user_id=name) for name in ("ann", "bob")]
    assert ann
    assert bob
    assert (ann.password_hash, ann.prefs, bob.status) == (line, '{"theme":"pink"}', "blocked")


async def test_the_other_nouns_still_answer(terminal: Terminal):
    """Projects, platforms and keys are commanded as before."""
    assert await terminal.type("--json", "projects", "create", "blog", "--name", "Blog") == 0
    assert orjson.loads(terminal.out)["name"] == "Blog"
    assert await terminal.type("projects", "create", "blog") == 3
    assert await terminal.type("projects", "set", "blog", "--plain-http", "on", "--password-min", "10") == 0
    assert "plain_http: yes" in terminal.out
    assert await terminal.type("platforms", "add", "blog", "*.Example.com") == 0
    assert "hostnames: *.example.com" in terminal.out
    assert await terminal.type("platforms", "remove", "blog", "nowhere.test") == 4
    assert await terminal.type("keys", "create", "blog", "--name", "ci", "--scopes", "users.read") == 0
    assert "key: key_" in terminal.out
    assert await terminal.type("keys", "revoke", "blog", "none") == 4
    assert await terminal.type("projects", "show", "nowhere") == 4


async def test_a_database_that_is_away(terminal: Terminal, monkeypatch: pytest.MonkeyPatch):
    """Code 6, and what is wrong in one line; unfit settings are code 5."""
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
    assert await terminal.type("users", "list", "shop") == 6
    assert terminal.err.startswith("postgres at 127.0.0.1:1 refuses connections")
    monkeypatch.setenv("SECRET_KEYS", "short")
    assert await terminal.type("users", "list", "shop") == 5
    assert "SECRET_KEYS" in terminal.err
