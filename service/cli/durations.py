"""Durations as people write them: 30s, 10m, 3h, 1d."""

import argparse
import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhd])")
# Postgres has no earlier times.
_LONGEST = 3650 * UNITS["d"]


def parse(text: str) -> float:
    """Parse seconds; raises what argparse shows as a usage error."""
    match = _SPAN.fullmatch(text)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError("a number with s, m, h or d behind it, such as 30s, 10m, 3h or 1d")
    return seconds


def format_duration(seconds: float) -> str:
    """Format in the largest unit of which there are two: 90s, 15m, 47h, 3d."""
    for unit in ("d", "h", "m"):
        if seconds >= 2 * UNITS[unit]:
            return f"{int(seconds // UNITS[unit])}{unit}"
    return f"{max(0, round(seconds))}s"


def write(seconds: int) -> str:
    """Write seconds as `parse` reads them, in the largest unit that leaves no rest: 90s, 10m, 365d."""
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % UNITS[unit] == 0)
    return f"{seconds // UNITS[unit]}{unit}"
