"""A real headless browser, and its pages as a person uses them: by labels, roles and names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from testkit.drivers import FOLDER, PACKAGES, Driver, Unfit, driving, machine
from testkit.node import node
from testkit.patience import PATIENCE

PHONE = {"width": 375, "height": 667}
DESKTOP = {"width": 1280, "height": 800}


@dataclass
class Page:
    """A page with a profile of its own. What it waits for has to come within PATIENCE."""

    driver: Driver
    number: int

    async def goto(self, address: str) -> int:
        """Open an address; returns the status of its answer."""
        return int((await self._ask("goto", address=address))["status"])

    async def show(self, html: str) -> None:
        """Show a document that has no address, such as a letter."""
        await self._ask("show", html=html)

    async def click(self, name: str, *, role: str = "button") -> None:
        await self._ask("click", role=role, name=name)

    async def follow(self, name: str, *, frame: str = "") -> "Page":
        """Click a link that opens a page beside this one, in the same profile; `frame` selects where it stands."""
        return Page(self.driver, (await self._ask("follow", frame=frame, name=name))["page"])

    async def fill(self, label: str, value: str) -> None:
        await self._ask("fill", label=label, value=value)

    async def press(self, key: str) -> None:
        """Press a key, such as Tab, wherever the focus is."""
        await self._ask("press", key=key)

    async def see(self, name: str, *, role: str = "heading") -> None:
        """Wait until an element of this role and name is shown."""
        await self._ask("see", role=role, name=name)

    async def see_text(self, text: str) -> None:
        """Wait until an element with just this text is shown."""
        await self._ask("see_text", text=text)

    async def read(self, selector: str) -> list[str]:
        """Return the texts of all elements that fit, as they are shown."""
        return list((await self._ask("read", selector=selector))["texts"])

    async def read_filled(self, selector: str) -> list[str]:
        """Wait until none of the elements that fit is empty, and return their texts."""
        await self._ask("filled", selector=selector)
        return await self.read(selector)

    async def evaluate(self, expression: str) -> Any:
        return (await self._ask("evaluate", expression=expression))["value"]

    async def address(self) -> str:
        return str((await self._ask("address"))["address"])

    async def faults(self) -> list[str]:
        """Return errors of the page's scripts and breaches of its policy, so far."""
        return list((await self._ask("faults"))["faults"])

    async def check_accessibility(self) -> list[str]:
        """Run axe-core; testkit/accessibility.py says what it returns."""
        return list((await self._ask("check"))["findings"])

    async def adapt(self, *, scheme: str, viewport: dict[str, int]) -> None:
        """Change the colour scheme and the size of the window."""
        await self._ask("adapt", scheme=scheme, viewport=viewport)

    async def add_authenticator(self) -> None:
        """Give the page a device that keeps passkeys, and whose user agrees to each request."""
        await self._ask("authenticator")

    async def close(self) -> None:
        await self._ask("close")

    async def _ask(self, act: str, **asked: Any) -> dict[str, Any]:
        answer = await self.driver.ask(act=act, page=self.number, **asked)
        assert "error" not in answer, (act, asked, answer["error"])
        return answer


@dataclass
class Browser:
    driver: Driver

    async def open(
        self, *, language: str = "en", javascript: bool = True, scheme: str = "light",
        viewport: dict[str, int] = DESKTOP, permissions: tuple[str, ...] = (),
    ) -> Page:  # fmt: skip
        """Open a page with a fresh profile, for a reader of this language in this colour scheme."""
        options = {
            "locale": language, "javaScriptEnabled": javascript, "colorScheme": scheme, "viewport": viewport,
            "permissions": permissions,
        }  # fmt: skip
        answer = await self.driver.ask(act="open", options=options, patience=PATIENCE * 0.8)
        assert "error" not in answer, answer
        return Page(self.driver, answer["page"])


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start a browser that ends with the block. Raises Unfit where Node or the packages of the tests are missing."""
    if not node() or not (PACKAGES / "axe-core").exists():
        raise Unfit("Node 20, the browser or axe-core is not installed; ./dev test installs them")
    async with driving([node(), str(FOLDER / "pages.mjs")], machine(), announced=True) as driver:
        yield Browser(driver)
