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
    """`goal` is the least a ratio should be, or the most that milliseconds or megabytes should be."""

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
        least = self.unit == "ratio"
        met = self.median >= self.goal if least else self.median <= self.goal
        return f"{'>=' if least else '<='} {self.goal:g} {'met' if met else 'MISSED'}"


def show(
    rows: Sequence[Row], *, rounds: int, report: Callable[[str], None], state: State | None, notes: Sequence[str] = ()
) -> None:
    """Print the table; `state` is that of the machine while it was measured, `notes` are lines about the programs."""
    report(f"accounts bench, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {rounds} interleaved rounds")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    report(f"Python {platform.python_version()}, {versions}")
    report(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores of {_processor()}; {placed()}")
    report("access and job logs are on and go to files; every server is a throw-away one on this machine, no fsync")
    for note in notes:
        report(note)
    report(f"machine: {state or 'its state is not known here'}\n")
    report(f"{'':38}{'median':>9}  {'min':>8} - {'max':<8} {'unit':6} goal")
    for row in rows:
        spread = (
            f"{_digits(min(row.figures)):>8} - {_digits(max(row.figures)):<8}" if len(row.figures) > 1 else " " * 19
        )
        line = f"{row.name:38}{_digits(row.median):>9}  {spread} {row.unit:6} {row.verdict()} {row.note}"
        report(line.rstrip())


def _digits(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 200 else f"{number:.0f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
