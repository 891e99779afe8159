"""Pages that may read our answers: the project's own, by name, and no other (docs/security.md S60)."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.app import make
from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit.api import Api

ROWS = json.loads((Path(__file__).parent / "data" / "cors.json").read_text())
HOSTNAMES = ("app.example.com", "*.pages.example.org", "[::1]", "127.0.0.1")


@pytest.fixture
async def api(aiohttp_client: Any, api: Api, pool: Pool, settings: Settings) -> Api:
    for hostname in HOSTNAMES:
        await projects.add_platform(pool, "shop", hostname=hostname)
    own = settings.model_copy(update={"public_url": "https://accounts.example.net", "limits": "off"})
    return Api(await aiohttp_client(make(own)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row["origin"]))
async def test_s60_whom_answers_are_for(api: Api, row: dict[str, Any]):
    """A listed page is named to the letter, never as `*`; another is not named; caches are told that it depends."""
    await api.sign_up()
    member = await api.sign_in()
    headers = member | {"Origin": row["origin"]}
    for modern in (False, True):
        for method, path in (("GET", "/v1/account"), ("POST", "/v1/account/jwt"), ("GET", "/v1/nothing")):
            answer = await api.call(
                method, path, headers=headers, modern=modern, **({"json": {}} if method == "POST" else {})
            )
            assert answer.headers["Vary"] == "Origin"
            if row["allowed"]:
                assert answer.headers.getall("Access-Control-Allow-Origin") == [row["origin"]]
                assert answer.headers.getall("Access-Control-Allow-Credentials") == ["true"]
            else:
                assert not [name for name in answer.headers if name.startswith("Access-Control")]
                refused = path != "/v1/nothing" and (modern or method == "POST")
                assert not refused or answer.status == 403


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row["origin"]))
async def test_s60_a_preflight_tells_nothing(api: Api, row: dict[str, Any]):
    """Any page may ask what it would be allowed to send; the answer holds for ten minutes at most, and no data."""
    sent = {"Origin": row["origin"], "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "x"}
    answer = await api.call("OPTIONS", "/v1/account/prefs", headers=sent)
    assert (answer.status, await answer.read()) == (204, b"")
    assert int(answer.headers["Access-Control-Max-Age"]) <= 600
    assert answer.headers["Access-Control-Allow-Origin"] != "*"
    assert answer.headers["Vary"] == "Origin"
    assert "Set-Cookie" not in answer.headers


async def test_s60_another_projects_page_is_a_strangers(api: Api, pool: Pool):
    """A page that one project allows is not allowed by another."""
    await projects.create(pool, "other", name="Other")
    headers = {"X-Appwrite-Project": "other", "Origin": "https://app.example.com"}
    answer = await api.call("GET", "/v1/account", headers=headers, modern=True)
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
