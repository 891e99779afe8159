"""Code blocks of the pages for readers: README, CONTRIBUTING and docs/."""

import re
from dataclasses import dataclass
from pathlib import Path

from testkit.sources import ROOT

PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
# Languages whose blocks are run, and those that are data or pictures. Any other language is code that needs a mark.
RUN = frozenset({"sh", "js", "python"})
DATA = frozenset({"text", "ini", "nginx", "toml", "json", "html", "mermaid"})
_FENCE = re.compile(r"(?:^<!-- not run: ([^\n]+?) -->\n)?^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOCAL = re.compile(r'from "\./([\w-]+\.js)"')


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code; `reason` says why it is not run."""

    language: str
    code: str
    reason: str

    @property
    def file(self) -> str:
        """Name that the block's first line gives it, `// account.js`, so that later blocks import it."""
        found = re.match(r"// ([\w-]+\.js)\n", self.code)
        return found[1] if found else ""

    @property
    def imports(self) -> list[str]:
        return _LOCAL.findall(self.code)


def blocks(text: str) -> list[Block]:
    return [Block(language, code, reason) for reason, language, code in _FENCE.findall(text)]


def run_blocks(page: Path) -> list[Block]:
    """List the blocks of a page that a test runs, in their order."""
    return [block for block in blocks(page.read_text()) if block.language in RUN and not block.reason]
