"""A foreign page can make its visitor's browser do nothing here (docs/security.md S59)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.app import make
from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit.api import Api
from testkit.api_keys import key

ROWS = json.loads((Path(__file__).parent / "data" / "csrf.json").read_text())
HOSTNAMES = ("*.pages.example.org",)
MULTIPART = '--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'


@pytest.fixture
async def api(aiohttp_client: Any, api: Api, pool: Pool, settings: Settings) -> Api:
    """The service under the address that the rows know; limits count but refuse nobody."""
    for hostname in HOSTNAMES:
        await projects.add_platform(pool, "shop", hostname=hostname)
    own = settings.model_copy(update={"public_url": "https://accounts.example.net", "limits": "off"})
    return Api(await aiohttp_client(make(own)))


def written(fields: dict[str, str], kind: str) -> str:
    """The same fields in each type of body that a page can send."""
    if kind.startswith("multipart"):
        return "".join(MULTIPART % field for field in fields.items()) + "--x--\r\n"
    if "urlencoded" in kind:
        return "&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields.items())
    return json.dumps(fields)


async def state(pool: Pool) -> tuple[object, ...]:
    users = await pool.fetch("select name, prefs, email, password_hash from users order by id")
    counts = [(await pool.fetchrow(f"select count(*) from {table}"))[0] for table in ("sessions", "tokens", "events")]
    return (*map(tuple, users), *counts)


def eras_of(row: dict[str, Any]) -> list[bool]:
    return {"legacy": [False], "modern": [True]}.get(row.get("era", ""), [False, True])


def test_no_row_stands_twice():
    """Each row says something of its own."""
    assert len({row["say"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["say"])
async def test_s59_a_write_with_a_session(api: Api, pool: Pool, row: dict[str, Any]):
    """A write with a cookie is the member's only if it can't be a stranger's page; else 403 and nothing is changed."""
    await api.sign_up()
    cookie = await api.sign_in()
    kind = row.get("type", "application/json")
    for modern in eras_of(row):
        before = await state(pool)
        headers = cookie | {"Content-Type": kind} | row["headers"]
        answer = await api.call(
            "PATCH", "/v1/account/name", data=written({"name": "New name"}, kind), headers=headers, modern=modern
        )
        if row["done"]:
            assert (answer.status, answer.data["name"]) == (200, "New name")
            continue
        assert (answer.status, answer.data["type"]) == (403, "general_unknown_origin")
        assert await state(pool) == before
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("row", [row for row in ROWS if "Origin" in row["headers"]], ids=lambda row: row["say"])
async def test_s59_nobody_is_signed_in_by_a_strangers_page(api: Api, pool: Pool, row: dict[str, Any]):
    """Nor can such a page sign its visitor in to an account of its own."""
    await api.sign_up()
    kind = row.get("type", "application/json")
    sent = {"email": "ann@example.com", "password": "correct horse"}
    for modern in eras_of(row):
        answer = await api.call(
            "POST", "/v1/account/sessions", data=written(sent, kind).replace("@", "%40") if "url" in kind
            else written(sent, kind), headers={"Content-Type": kind} | row["headers"], modern=modern,
        )  # fmt: skip
        assert answer.status == (201 if row["done"] else 403)
        assert ("Set-Cookie" in answer.headers) == row["done"]


@pytest.mark.parametrize("modern", [False, True])
async def test_s59_every_write_of_a_member_is_guarded(api: Api, pool: Pool, modern: bool):
    """No route of a member's forgets to ask, a key beside the cookie or not."""
    from service import app

    await api.sign_up()
    cookie = await api.sign_in()
    before = await state(pool)
    for route in app.routes():
        if route.access not in ("member", "public") or route.method == "GET":
            continue
        path = route.paths[0].replace("{sessionId}", "current").replace("{type}", "totp")
        path = re.sub(r"\{\w+\}", "x", path)
        for extra in ({}, {"X-Appwrite-Key": "x"}):
            headers = cookie | extra | {"Origin": "https://evil.test"}
            answer = await api.call(route.method, path, json={}, headers=headers, modern=modern)
            assert answer.status == 403, (route.method, path, extra)
    assert await state(pool) == before


@pytest.mark.parametrize("modern", [False, True])
async def test_s59_a_valid_key_beside_a_cookie_proves_no_server(api: Api, pool: Pool, modern: bool):
    """A foreign page may know a real key: beside a cookie it opens nothing, alone it is a server's."""
    await api.sign_up()
    cookie = await api.sign_in()
    before = await state(pool)
    foreign = await key(pool, "sessions.write") | {"Origin": "https://evil.test"}
    sent = {"email": "ann@example.com", "password": "correct horse"}
    for headers in (cookie | foreign, {"Cookie": "theme=dark"} | foreign):
        answer = await api.call("POST", "/v1/account/sessions", json=sent, headers=headers, modern=modern)
        assert (answer.status, answer.data["type"]) == (403, "general_unknown_origin")
    assert await state(pool) == before
    alone = await api.call("POST", "/v1/account/sessions", json=sent, headers=foreign, modern=modern)
    assert alone.data.get("type") != "general_unknown_origin"


async def test_s59_reading_changes_nothing(api: Api, pool: Pool):
    """GET, HEAD and OPTIONS of every path write nothing, whoever asks and whatever they claim to mean."""
    from service import app

    await api.sign_up()
    cookie = await api.sign_in()
    before = await state(pool)
    for path in sorted({path for route in app.routes() for path in route.paths}):
        for method in ("GET", "HEAD", "OPTIONS"):
            for override in ({}, {"X-HTTP-Method-Override": "DELETE"}):
                query = "?_method=DELETE&name=New&userId=x&secret=y"
                filled = path.replace("{sessionId}", "current").replace("{type}", "totp").replace("{passkeyId}", "x")
                filled = filled.replace("{targetId}", "x")
                await api.call(method, filled + query, headers=cookie | override)
    assert await state(pool) == before
