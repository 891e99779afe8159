"""The official SDKs under test, and the processes that drive them. What the machine lacks is skipped, except in CI."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import pytest

from devstack.servers import tied
from testkit.node import VENV, node
from testkit.patience import PATIENCE

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"


@dataclass(frozen=True, slots=True)
class Sdk:
    """`package` is where it stands: a folder of node_modules, or of .venv/clients; none is the tests' own Python."""

    language: Literal["python", "node", "web"]
    version: str
    modern: bool
    package: str = ""

    @property
    def name(self) -> str:
        return f"{self.language} {self.version}"

    @property
    def services(self) -> tuple[str, ...]:
        """Services that it has and this service answers."""
        return ("account",) if self.language == "web" else ("account", "users")


SDKS = (
    Sdk("python", "0.5.1", modern=False),
    Sdk("node", "2.5.1", modern=False, package="node-appwrite-2"),
    Sdk("web", "4.0.4", modern=False, package="appwrite-4"),
    Sdk("python", "27.0.0", modern=True, package="appwrite-27"),
    Sdk("node", "27.1.0", modern=True, package="node-appwrite-27"),
    Sdk("web", "28.0.0", modern=True, package="appwrite-28"),
)


def lacking(reason: str) -> NoReturn:
    """Skip; where everything has to be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def command_of(sdk: Sdk, page: str) -> tuple[list[str], dict[str, str]]:
    """Words and environment of the driver; skips where the SDK isn't installed."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    if sdk.language == "python":
        if sdk.package:
            if not (VENV / sdk.package).exists():
                lacking(f"{sdk.name} is not installed; ./dev test installs it")
            environment["PYTHONPATH"] = str(VENV / sdk.package)
        return [sys.executable, str(HERE / "drivers" / "sdk.py")], environment
    if not node() or not (PACKAGES / sdk.package).exists():
        lacking(f"{sdk.name} or Node 20 is not installed; ./dev test installs them")
    driver = HERE / "drivers" / f"{sdk.language}.mjs"
    return [node(), str(driver), page if sdk.language == "web" else sdk.package], environment


@dataclass
class Driver:
    """A process that speaks an SDK for us: one JSON object a line, there and back."""

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
async def driven(sdk: Sdk, *, page: str = "") -> AsyncIterator[Driver]:
    """The SDK's driver; it ends with the block. `page` is the address of a page that has loaded a web SDK."""
    words, environment = command_of(sdk, page)
    process = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL), *words,
        env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**20,
    )  # fmt: skip
    driver = Driver(process)
    try:
        if sdk.language == "web" and (unfit := (await driver.hear()).get("unfit")):
            lacking(f"the browser does not start: {unfit}")
        yield driver
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()
