"""Processes that drive something for a test: an SDK, a browser. One JSON object a line, there and back."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from devstack.servers import tied
from testkit.patience import PATIENCE
from testkit.processes import ROOT

FOLDER = ROOT / "tests" / "sdk_compat" / "drivers"
PACKAGES = ROOT / "tests" / "sdk_compat" / "node_modules"


class Unfit(Exception):
    """The machine lacks what the driver needs."""


def lacking(reason: str) -> NoReturn:
    """Skip the test; where everything has to be there (CI), fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def machine() -> dict[str, str]:
    """Make the environment of a driver: of the tests' own only what any program needs."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}


@dataclass
class Driver:
    process: asyncio.subprocess.Process

    async def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        assert self.process.stdout
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        assert line, "the driver has ended; its complaint stands above"
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def driving(words: list[str], environment: dict[str, str], *, announced: bool) -> AsyncIterator[Driver]:
    """Start a driver that ends with the block. Raises Unfit if one that announces itself says so."""
    process = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL), *words,
        env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**20,
    )  # fmt: skip
    driver = Driver(process)
    try:
        if announced and (unfit := (await driver.hear()).get("unfit")):
            raise Unfit(f"the browser does not start: {unfit}")
        yield driver
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()
