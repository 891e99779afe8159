"""A mailbox as `./dev run` has it, and a client of its page."""

import pytest
from aiohttp import ClientSession

from devstack.mailbox import open_mailbox


@pytest.fixture
async def mailbox():
    async with open_mailbox() as box:
        yield box


@pytest.fixture
async def http(mailbox):
    async with ClientSession(f"http://127.0.0.1:{mailbox.page_port}") as session:
        yield session
