"""A reader of our pages: types each block as it is written, in a shell, a browser, Node or Python."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from devstack.mailbox import Mailbox
from testkit.code_blocks import Block
from testkit.drivers import Driver
from testkit.node import VENV, node
from testkit.patience import PATIENCE
from testkit.processes import ROOT, lasting_port
from testkit.waiting import until
from tests.sdk_compat.sdks import link_packages

_END = "__the block has ended"
# Seconds after which every process uses a project's new settings.
_SETTLED = 1.0
_KEY = re.compile(r"\bkey_[0-9a-f]{64}\b")
_FOLDERS = ("service", "worker", "sql", "templates", "docs", "testkit", "pyproject.toml")
# `./dev cli` without the environment that `./dev` makes first.
_DEV = '#!/bin/sh\n[ "$1" = cli ] || exit 2\nshift\nexec python -m service "$@"\n'


@dataclass
class Reader:
    """`places` maps what the pages say to the servers of the test: ports, and ids that stand for any."""

    folder: Path
    environment: dict[str, str]
    places: dict[str, str]
    mailbox: Mailbox
    closing: AsyncExitStack
    browser: Driver | None = None
    read: int = 0
    modules: list[Block] = field(default_factory=list)
    shell: Process | None = None

    def prepare(self) -> None:
        """Make the folder of a clone, with what the readers have installed."""
        for name in _FOLDERS:
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / ".venv" / "bin").mkdir(parents=True)
        # A link would be a Python without the packages of the environment.
        for name, script in {".venv/bin/python": f'#!/bin/sh\nexec {sys.executable} "$@"\n', "dev": _DEV}.items():
            (self.folder / name).write_text(script)
            (self.folder / name).chmod(0o755)
        link_packages(self.folder)
        self.places["localhost:3000"] = f"localhost:{lasting_port()}"
        self.places["listen(3000)"] = f"listen({self.places['localhost:3000'].partition(':')[2]})"
        path = f"{self.folder / '.venv' / 'bin'}:{Path(node() or '/').parent}:{os.environ['PATH']}"
        self.environment |= {"PATH": path, "HOME": str(self.folder)}

    def _placed(self, code: str) -> str:
        """Put the test's places into a text; a port that only begins like one of the pages is another port."""
        said = "|".join(map(re.escape, sorted(self.places, key=len, reverse=True)))
        return re.sub(rf"(?:{said})(?!\d)", lambda found: self.places[found[0]], code)

    async def type(self, block: Block) -> None:
        """Run a block; what goes wrong in it fails the test."""
        code = self._placed(block.code)
        match block.language:
            case "sh":
                out = await self._in_shell(code)
            case "python":
                out = await self._run([sys.executable, "-c", code], {"PYTHONPATH": str(VENV / "appwrite-27")})
            case _ if self._is_for_node(block):
                out = await self._in_node(block, code)
            case _:
                out = await self._in_browser(block, code)
        if found := _KEY.search(out):
            self.environment["APPWRITE_KEY"] = found[0]
            if self.shell:
                await self._in_shell(f"export APPWRITE_KEY={found[0]}")

    def _is_for_node(self, block: Block) -> bool:
        if "node-appwrite" in block.code or 'from "node:' in block.code:
            return True
        return any(self._is_for_node(module) for module in self.modules if module.file in block.imports)

    async def _in_shell(self, code: str) -> str:
        """One shell for a page, so that variables stay. Answers with errors are no success."""
        if self.shell is None:
            self.shell = await asyncio.create_subprocess_exec(
                "bash", "-eu", cwd=self.folder, env=self.environment, stdin=PIPE, stdout=PIPE, stderr=STDOUT
            )
            self.closing.push_async_callback(self._close, self.shell)
        assert self.shell.stdin
        assert self.shell.stdout
        self.shell.stdin.write(f"{{\n{code}\n}} </dev/null\nprintf '\\n%s\\n' '{_END}'\n".encode())
        lines: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while _END not in (line := (await self.shell.stdout.readline()).decode()):
                assert line, (code, lines)
                lines.append(line)
        out = "".join(lines)
        assert not re.search(r'"code":\d', out), (code, out)
        if " projects set " in code:
            # What a process knows of a project is at most so old (docs/projects.md), however slow the machine is.
            await asyncio.sleep(_SETTLED)
        return out

    async def _run(self, words: list[str], extra: dict[str, str]) -> str:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=self.folder, env=self.environment | extra, stdout=PIPE, stderr=STDOUT
        )
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 0, (words[-1], out.decode())
        return out.decode()

    async def _in_node(self, block: Block, code: str) -> str:
        """A module is a file. A server runs until the page is read; any other block to its end."""
        name = block.file or f"block-{len(self.modules)}.js"
        (self.folder / name).write_text(code)
        self.modules.append(block)
        if block.file:
            return ""
        if ".listen(" not in code:
            return await self._run([node(), name], {})
        server = await asyncio.create_subprocess_exec(node(), name, cwd=self.folder, env=self.environment)
        self.closing.push_async_callback(self._close, server)
        port = int(self.places["localhost:3000"].partition(":")[2])
        await until(lambda: _listens(port))
        return ""

    async def _in_browser(self, block: Block, code: str) -> str:
        assert self.browser
        if block.file:
            self.modules.append(block)
        if "location.search" in code:
            await self.browser.ask(act="open", query=f"?{await self._query()}")
            await self._load_modules()
        if "createOAuth2Session(" not in code:
            return await self._evaluate(code)
        arrived = await self._evaluate(code, act="leave")
        await self._load_modules()
        return arrived

    async def _load_modules(self) -> None:
        """Have the page, which is a new one, load what it has loaded before."""
        for module in self.modules:
            if not self._is_for_node(module):
                await self._evaluate(module.code)

    async def _evaluate(self, code: str, act: str = "run") -> str:
        """Modules of a browser as one page has them: the SDK is loaded already, and exports are global."""
        assert self.browser
        code = self._placed(code)
        code = re.sub(r'^import (\{.*?\}) from "appwrite";', r"const \1 = window.Appwrite;", code, flags=re.MULTILINE)
        code = re.sub(r'^import .*? from "\./.*?";\n', "", code, flags=re.MULTILINE)
        code = re.sub(r"^export const (\w+) =", r"globalThis.\1 =", code, flags=re.MULTILINE)
        answer = await self.browser.ask(act=act, code=code)
        assert answer["ok"], (code, answer)
        return "\n".join(answer["said"])

    async def _query(self) -> str:
        """The query of the link in the next mail that has one."""
        while True:
            mail = await self.mailbox.wait(after=self.read, timeout=PATIENCE)
            for each in self.mailbox.find(after=self.read):
                self.read = each.n
                if found := re.search(r"https?://localhost/\S*secret=\S+", each.text or ""):
                    return urlsplit(found[0]).query
            assert mail.n <= self.read

    async def _close(self, process: Process) -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("localhost", port)
    except OSError:
        return False
    writer.close()
    return True
