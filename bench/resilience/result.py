"""Result of a figure, as a table to read and to keep."""

import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `goal` in the words of the promise; `met` is None where there is no goal."""

    what: str
    value: str
    goal: str = ""
    met: bool | None = None


def table(name: str, rows: Sequence[Row], *, seed: int, count: int, seconds: float) -> str:
    """Format as Markdown, under a line with date and environment."""
    mark = {True: "yes", False: "**no**", None: ""}
    lines = [
        f"{name}, {datetime.now(UTC):%Y-%m-%d}, seed {seed}, count {count}, {seconds:.0f} s; {_versions()}",
        "",
        "| what | measured | goal | met |",
        "|---|---|---|---|",
        *(f"| {row.what} | {row.value} | {row.goal} | {mark[row.met]} |" for row in rows),
    ]
    return "\n".join(lines)


def _versions() -> str:
    packages = ("aiohttp", "asyncpg", "arq", "redis", "aiosmtplib")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    ours = f"commit {commit}, " if commit else ""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"{ours}Python {sys.version.split()[0]}, {platform.machine()}, {versions}"
