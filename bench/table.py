"""Table of the figures: each the median of its rounds with the least and the greatest."""

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import State
from bench.programs import placed

_PACKAGES = ("aiohttp", "asyncpg", "uvloop", "orjson", "arq", "redis", "aiosmtplib", "jinja2")


@dataclass(frozen=True, slots=True)
class Row:
    """`goal` is the least a ratio or a rate should be, or the most that milliseconds or megabytes should be."""

    name: str
    figures: tuple[float, ...]
    unit: str
    goal: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.figures)

    def verdict(self) -> str:
        if self.goal is None:
            return ""
        least = self.unit == "ratio" or self.unit.endswith("/s")
        met = self.median >= self.goal if least else self.median <= self.goal
        return f"{'>=' if least else '<='} {self.goal:g} {'met' if met else 'MISSED'}"


def show(
    rows: Sequence[Row], *, rounds: int, report: Callable[[str], None], state: State | None, notes: Sequence[str] = ()
) -> None:
    """Print the table; `state` is that of the machine while it was measured, `notes` are lines about the programs."""
    report("\n".join((*head(rounds=rounds, state=state, notes=notes), "", *lines(rows))))


def head(*, rounds: int, state: State | None, notes: Sequence[str]) -> list[str]:
    """Describe what was measured, where and when."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    return [
        f"accounts bench, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {rounds} interleaved rounds",
        f"Python {platform.python_version()}, {versions}",
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores of {_processor()}; {placed()}",
        "access and job logs are on and go to files; every server is a throw-away one on this machine, no fsync",
        *notes,
        f"machine: {state or 'its state is not known here'}",
    ]


def lines(rows: Sequence[Row]) -> list[str]:
    """Write a line for each row, under the names of the columns."""
    return [f"{'':38}{'median':>9}  {'min':>8} - {'max':<8} {'unit':6} goal", *(_line(row) for row in rows)]


def _line(row: Row) -> str:
    spread = f"{digits(min(row.figures)):>8} - {digits(max(row.figures)):<8}" if len(row.figures) > 1 else " " * 19
    return f"{row.name:38}{digits(row.median):>9}  {spread} {row.unit:6} {row.verdict()} {row.note}".rstrip()


def digits(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 200 else f"{number:.0f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
