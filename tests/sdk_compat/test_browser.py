"""Behaviour that only a browser shows: CORS, cookies and fallback cookies between two origins."""

import pytest

from tests.sdk_compat.conftest import Start
from tests.sdk_compat.sdks import SDKS, Sdk
from tests.sdk_compat.walk import Walk

WEB = [sdk for sdk in SDKS if sdk.language == "web"]
ANN = {"email": "ann@example.com", "password": "first horse"}
web_sdks = pytest.mark.parametrize("sdk", WEB, ids=lambda sdk: sdk.name.replace(" ", "-"))


async def sign_in(it: Walk) -> None:
    await it.works("create", **({"userId": "ann"} if it.sdk.modern else {}), **ANN)
    await it.works("createEmailPasswordSession" if it.sdk.modern else "createSession", **ANN)


async def cookies(it: Walk) -> list[str]:
    return (await it.driver.ask(act="cookies", address=it.settings["endpoint"]))["names"]


@web_sdks
async def test_cookies_alone_and_fallback_alone(sdk: Sdk, start: Start):
    """Either of a session's two ways carries it: the cookie without local storage, local storage without the cookie."""
    it = await start(sdk)
    await sign_in(it)
    kept = ["known_device_shop", "a_session_shop_legacy"]
    assert await cookies(it) == kept, "plain http: no browser keeps SameSite=None"
    await it.driver.ask(act="forget", what="storage")
    await it.works("get")
    await it.driver.ask(act="forget", what="cookies")
    await it.refused("get", 401, "general_unauthorized_scope")
    await it.works("createEmailPasswordSession" if sdk.modern else "createSession", **ANN)
    await it.driver.ask(act="forget", what="cookies")
    await it.works("get")


@web_sdks
async def test_another_site_uses_the_fallback(sdk: Sdk, start: Start):
    """A page of another site than the API's keeps no cookie, and the session lives all the same."""
    it = await start(sdk)
    it.settings["endpoint"] = it.settings["endpoint"].replace("localhost", "127.0.0.1")
    await sign_in(it)
    assert await cookies(it) == []
    await it.works("get")
    await it.works("deleteSession", sessionId="current")
    await it.refused("get", 401, "general_unauthorized_scope")


@web_sdks
async def test_a_foreign_page_is_told_nothing(sdk: Sdk, start: Start):
    """A page that is none of the project's can't even read a refusal: its browser keeps the answer from it."""
    it = await start(sdk)
    foreign = it.page.replace("localhost", "foreign.example")
    await it.driver.ask(act="open", address=foreign)
    answer = await it.driver.ask(
        act="call", service="account", method="get", args={}, settings=it.settings, positional=not sdk.modern
    )
    assert (answer["ok"], answer["type"]) == (False, None)
    assert "fetch" in answer["message"]
