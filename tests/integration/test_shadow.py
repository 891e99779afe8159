"""`python -m service shadow`: what two systems answer otherwise is named by field, and no value is told."""

import json
from pathlib import Path

import pytest

from service.db import Pool
from service.store import projects, users
from testkit.api import Api
from testkit.api_keys import key
from tests.integration.conftest import Terminal


async def test_users_of_both_sides(type_: Terminal, api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch):
    """Imported users are alike; a fact that differs, or a user who isn't here, is named: code 7."""
    await projects.create(pool, "blog", name="Blog")
    for name in ("ann", "bob"):
        await users.create(pool, "shop", user_id=name, email=f"{name}@example.com", name=name, password_hash=None)
    monkeypatch.setenv("APPWRITE_API_KEY", (await key(pool, "users.read"))["X-Appwrite-Key"])
    monkeypatch.setenv("ACCOUNTS_API_KEY", (await key(pool, "users.read", project="blog"))["X-Appwrite-Key"])
    url = str(api.client.make_url("/v1"))
    source = ("--endpoint", url, "--source-project", "shop")
    assert (await type_("import", "appwrite", "--project", "blog", *source))[0] == 0
    words = ("shadow", "--project", "blog", *source, "--here", url)
    assert await type_.json(*words) == {"compared": 2, "alike": 2}
    await pool.execute("update users set name = 'secret name', prefs = '{\"k\":1}' where project_id = 'blog'")
    await pool.execute("delete from users where project_id = 'blog' and id = 'bob'")
    code, out, err = await type_(*words)
    assert (code, out) == (7, "compared: 2\nalike: 0\ndifferences: 3\n")
    assert err.splitlines() == [
        "/users/ann name: other value", "/users/ann prefs: nothing there, object here",
        "/users/bob status: 200 there, 404 here",
    ]  # fmt: skip
    code, out, _ = await type_(*words, "--users", "1", "--json")
    assert [row["field"] for row in json.loads(out)] == ["name", "prefs"]
    monkeypatch.delenv("ACCOUNTS_API_KEY")
    assert (await type_(*words))[0] == 2


async def test_reads_of_a_file(type_: Terminal, api: Api, tmp_path: Path):
    """Members ask by a session or JWT of each side; sessions and logs are compared by form, and only reads are sent."""
    tokens = {}
    for name in ("ann", "bob"):
        await api.sign_up(f"{name}@example.com")
        member = await api.sign_in(f"{name}@example.com")
        tokens[name] = (await api.call("POST", "/v1/account/jwts", headers=member)).data["jwt"]
    file = tmp_path / "requests.jsonl"
    url = str(api.client.make_url("/v1"))
    words = ("--project", "shop", "--endpoint", url, "--source-project", "shop", "--here", url, "--file", str(file))

    def write(*lines: tuple[str, str, str]) -> None:
        texts = [{"path": path, "there": {"jwt": one}, "here": {"jwt": other}} for path, one, other in lines]
        file.write_text("\n".join(map(json.dumps, texts)))

    ann, bob = tokens["ann"], tokens["bob"]
    write(*(("/account" + rest, ann, ann) for rest in ("", "/prefs")))
    assert await type_.json("shadow", *words) == {"compared": 2, "alike": 2}
    write(*(("/account" + rest, ann, bob) for rest in ("/sessions", "/logs", "/prefs")))
    assert await type_.json("shadow", *words) == {"compared": 3, "alike": 3}
    write(("/account", ann, bob))
    code, out, err = await type_("shadow", *words)
    assert (code, "email: other value" in err, "@" in out + err) == (7, True, False)
    write(("/account", ann, "not.a.jwt"))
    code, out, err = await type_("shadow", *words)
    assert (code, err) == (7, "/account status: 200 there, 401 here\n")
    for line in (
        '{"path": "/account/sessions/oauth2/google"}',
        '{"path": "/users/../x"}',
        "[]",
        '{"path": "/account"}',
    ):
        file.write_text(line)
        code, _, err = await type_("shadow", *words)
        assert code == 2
        assert "line 1: " in err
