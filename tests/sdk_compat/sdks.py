"""The official SDKs under test, and the processes that drive them."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testkit.drivers import FOLDER, PACKAGES, Driver, Unfit, driving, lacking, machine
from testkit.node import VENV, node

HERE = Path(__file__).parent


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


def command_of(sdk: Sdk, page: str) -> tuple[list[str], dict[str, str]]:
    """Words and environment of the driver; skips where the SDK isn't installed."""
    environment = machine()
    if sdk.language == "python":
        if sdk.package:
            if not (VENV / sdk.package).exists():
                lacking(f"{sdk.name} is not installed; ./dev test installs it")
            environment["PYTHONPATH"] = str(VENV / sdk.package)
        return [sys.executable, str(FOLDER / "sdk.py")], environment
    if not node() or not (PACKAGES / sdk.package).exists():
        lacking(f"{sdk.name} or Node 20 is not installed; ./dev test installs them")
    driver = FOLDER / f"{sdk.language}.mjs"
    return [node(), str(driver), page if sdk.language == "web" else sdk.package], environment


def link_packages(folder: Path) -> None:
    """Make a folder in which Node finds today's SDKs by the names that apps use."""
    if not node() or not PACKAGES.exists():
        lacking("Node 20 or the SDKs are not installed; ./dev test installs them")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").mkdir()
    for name, installed in {"appwrite": "appwrite-28", "node-appwrite": "node-appwrite-27"}.items():
        (folder / "node_modules" / name).symlink_to(PACKAGES / installed)


@asynccontextmanager
async def driven(sdk: Sdk, *, page: str = "") -> AsyncIterator[Driver]:
    """The SDK's driver; it ends with the block. `page` is the address of a page that has loaded a web SDK."""
    words, environment = command_of(sdk, page)
    try:
        async with driving(words, environment, announced=sdk.language == "web") as driver:
            yield driver
    except Unfit as unfit:
        lacking(str(unfit))
