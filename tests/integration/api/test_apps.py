"""Apps as platforms: what the official SDKs for devices, and web views, send as their Origin."""

import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api

APPS = ("com.example.my_app", "my_app", "capacitor://localhost", "tauri://localhost")
ASK = {"email": "ann@example.com", "url": "http://localhost/reset"}
# Android and Apple SDKs, Flutter on each of its systems, React Native; web views of Capacitor and Tauri.
OURS = [
    "appwrite-android://com.example.my_app", "appwrite-ios://com.example.my_app", "appwrite-macos://com.Example.My_App",
    "appwrite-tvos://com.example.my_app", "appwrite-watchos://com.example.my_app",
    "appwrite-visionos://com.example.my_app",
    "appwrite-windows://my_app", "appwrite-linux://my_app", "capacitor://localhost", "tauri://localhost",
]  # fmt: skip
FOREIGN = [
    "appwrite-android://com.example.other", "appwrite-android://com.example.my_app.evil",
    "appwrite-android://evil.com.example.my_app",
    "appwrite-android://com.example.my_app@evil.example", "appwrite-android://com.example.my_app:80",
    "appwrite-://com.example.my_app",
    "https://com.example.my_app", "http://my_app", "ionic://other", "capacitor://other",
    "tauri://localhost.evil.example",
    "x-appwrite-ios://com.example.my_app",
]  # fmt: skip


@pytest.fixture
async def apps(pool: Pool, project: projects.Project) -> None:
    """Nothing but apps: no host would let any of them in."""
    await projects.remove_platform(pool, "shop", hostname="localhost")
    for app in APPS:
        await projects.add_app(pool, "shop", app=app)


@pytest.mark.parametrize("origin", OURS)
async def test_a_projects_app_may_act(apps, api: Api, origin: str):
    """A listed app may act in both API versions, and its web view may read the answers."""
    for modern in (False, True):
        answer = await api.call("GET", "/v1/account", headers={"Origin": origin}, modern=modern)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, origin)
        made = await api.call(
            "POST", "/v1/account", modern=modern, headers={"Origin": origin},
            json={"userId": "unique()", "email": f"ann{modern}@example.com", "password": "correct horse"},
        )  # fmt: skip
        assert made.status == 201


@pytest.mark.parametrize("origin", FOREIGN)
async def test_another_app_may_not(apps, api: Api, origin: str):
    """An app's id is compared whole, counts for an app's scheme only, and is no host of a page."""
    write = await api.call("POST", "/v1/account/recovery", json=ASK, headers={"Origin": origin})
    read = await api.call("GET", "/v1/account", headers={"Origin": origin}, modern=True)
    assert [(answer.status, answer.data["type"]) for answer in (write, read)] == [(403, "general_unknown_origin")] * 2
    assert "Access-Control-Allow-Origin" not in read.headers


@pytest.mark.parametrize(
    "url", ["https://com.example.my_app/", "https://my_app/", "http://localhost/", "appwrite-callback-shop://x",
            "capacitor://localhost/"]
)  # fmt: skip
async def test_no_link_leads_to_an_app(apps, api: Api, url: str):
    """Whoever registers a host of an app's name, or an app of that scheme, gets none of its mailed secrets."""
    answer = await api.call("POST", "/v1/account/recovery", json=ASK | {"url": url})
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")


async def test_an_app_that_was_added_as_a_host_goes_on(api: Api, pool: Pool):
    """An app's id that is listed as a host, as in rows of earlier releases, is allowed still."""
    await projects.add_platform(pool, "shop", hostname="com.example.app")
    for origin in ("appwrite-android://com.example.app", "capacitor://localhost", "https://com.example.app"):
        assert (await api.call("GET", "/v1/account", headers={"Origin": origin}, modern=True)).status == 401
