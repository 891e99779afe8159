"""A service for official SDKs, and a page in another origin that has loaded a web one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.db import Pool
from service.store import projects
from testkit.sms_sink import allow
from tests.e2e.conftest import Deployment, deployment  # noqa: F401 - pytest finds the fixture by its name here
from tests.sdk_compat.sdks import HERE, PACKAGES, Sdk, driven
from tests.sdk_compat.walk import Postbox, Walk

_SCOPES = {"account": ["sessions.write"], "users": ["users.read", "users.write"], "client": ["sessions.write"]}


class Start(Protocol):
    async def __call__(self, sdk: Sdk, service: str = "account") -> Walk: ...


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """A walk asks more in a minute than a person in an hour."""
    return environment | {"LIMITS": "off"}


@pytest.fixture
async def start(deployment: Deployment, pool: Pool) -> AsyncIterator[Start]:  # noqa: F811 - the fixture imported above
    """Sets out with an SDK; its driver ends with the test. The key has the scopes that the service needs."""
    await projects.change(pool, "shop", passkeys=True, rp_id="localhost")
    async with AsyncExitStack() as stack:

        async def set_out(sdk: Sdk, service: str = "account") -> Walk:
            await allow(pool, "+49")
            key = await projects.create_api_key(
                pool, "shop", key_id=f"walker-{service}", name="walker", scopes=_SCOPES[service]
            )
            page = await stack.enter_async_context(page_with(sdk)) if sdk.language == "web" else None
            address = f"http://localhost:{page.port}/" if page else ""
            driver = await stack.enter_async_context(driven(sdk, page=address))
            # The service says that it is at localhost: with the page there too, its cookies are first-party.
            endpoint = deployment.address.replace("127.0.0.1", "localhost") + "/v1"
            settings = {"endpoint": endpoint, "project": "shop"}
            methods = frozenset((await driver.ask(service=service, settings=settings))["methods"])
            return Walk(sdk, service, driver, deployment, Postbox(deployment.sink), settings, key, address, methods)

        yield set_out


def page_with(sdk: Sdk) -> TestServer:
    """Another origin: an app's page that loads the SDK as its makers ship it for browsers."""

    async def script(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(PACKAGES / sdk.package / "dist" / "iife" / "sdk.js")

    async def page(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(HERE / "drivers" / "page.html")

    app = web.Application()
    app.add_routes([web.get("/sdk.js", script), web.get("/{path:.*}", page)])
    return TestServer(app)
