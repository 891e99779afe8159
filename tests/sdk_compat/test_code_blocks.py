"""Blocks of code in README, CONTRIBUTING and docs/, run as they are written against a running service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from devstack.mailbox import open_mailbox
from service.db import Pool
from service.settings import Settings
from service.store import projects, users
from testkit import outbox, processes
from testkit.code_blocks import PAGES, run_blocks
from testkit.drivers import FOLDER, Driver, Unfit, driving, lacking
from testkit.identity_provider import IdentityProvider
from testkit.sources import ROOT
from tests.sdk_compat.conftest import page_with
from tests.sdk_compat.reader import Reader
from tests.sdk_compat.sdks import SDKS, command_of

_READ = [page for page in PAGES if run_blocks(page)]
_WEB = next(sdk for sdk in SDKS if sdk.modern and sdk.language == "web")


@pytest.fixture
async def mail(page: Path, pool: Pool, redis: Redis) -> str:
    """Make the projects of our pages, `demo` of `./dev run` and `shop` of an installation; id of a mail that waits."""
    creates = any("projects create shop" in block.code for block in run_blocks(page))
    for project in ("demo",) if creates else ("demo", "shop"):
        await projects.create(pool, project, name=project.capitalize())
        await projects.add_platform(pool, project, hostname="localhost")
        await projects.change(pool, project, sms_countries=["+49"])
    return "" if creates else await waiting_mail(pool)


async def waiting_mail(pool: Pool) -> str:
    """A mail to a user of shop that no worker sends for an hour."""
    await users.create(pool, "shop", user_id="ann", email=outbox.ANN, name="Ann", password_hash=None)
    mail = await outbox.request_mail(pool, user_id="ann")
    await pool.execute("update mails set due_at = now() + interval '1 hour'")
    return str(mail)


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def provider(page: Path, mail: str, pool: Pool, settings: Settings, closing: AsyncExitStack) -> None:
    """Run the provider of `./dev run` for the pages that use it; it knows who its visitor is without asking."""
    if any("oidc-demo" in block.code for block in run_blocks(page)):
        found = await closing.enter_async_context(IdentityProvider())
        await found.register(pool, settings.key_ring, "demo", "oidc-demo")


@pytest.fixture
async def reader(
    environment: dict[str, str], mail: str, provider: None, tmp_path: Path, closing: AsyncExitStack
) -> Reader:
    """A reader at a running service, with the mailbox of `./dev run`."""
    box = await closing.enter_async_context(open_mailbox())
    settings = environment | {
        "SMTP_URL": f"smtp://127.0.0.1:{box.smtp_port}?tls=none",
        "SMS_URL": f"http://127.0.0.1:{box.page_port}/sms",
    }
    _, address = await closing.enter_async_context(processes.api(settings))
    await closing.enter_async_context(processes.worker(settings, heartbeat=tmp_path / "alive"))
    folder = tmp_path / "clone"
    folder.mkdir()
    places = {
        "http://localhost:8080": address.replace("127.0.0.1", "localhost"),
        "http://localhost:8025": f"http://localhost:{box.page_port}",
        "0198c0de-0000-7000-8000-000000000000": mail,
    }
    made = Reader(folder, settings, places, box, closing)
    made.prepare()
    return made


async def browser(reader: Reader) -> Driver:
    """A browser at a page that has loaded the web SDK."""
    page = await reader.closing.enter_async_context(page_with(_WEB))
    address = f"http://localhost:{page.port}/"
    reader.places["http://localhost:5173/"] = address
    [program, *_], environment = command_of(_WEB, address)
    servers = [reader.places[f"http://localhost:{port}"] for port in (8025, 8080)]
    words = [program, str(FOLDER / "blocks.mjs"), address, *servers]
    try:
        return await reader.closing.enter_async_context(driving(words, environment, announced=True))
    except Unfit as unfit:
        lacking(str(unfit))


@pytest.mark.parametrize("page", _READ, ids=[str(page.relative_to(ROOT)) for page in _READ])
async def test_a_page_can_be_followed(page: Path, reader: Reader):
    """Its blocks, typed in their order, do what they say: none fails, and no answer of the API is an error."""
    blocks = run_blocks(page)
    if any(block.language == "js" for block in blocks):
        reader.browser = await browser(reader)
    for block in blocks:
        await reader.type(block)
