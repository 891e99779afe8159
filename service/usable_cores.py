"""Cores that this process may use: neither its affinity nor a container's share is in os.cpu_count()."""

import math
import os
from contextlib import suppress
from pathlib import Path

_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def count(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """Count them, a part of one as a whole; the files are those of cgroup v2 (the kernel's Control Group v2)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _share(groups, own))))


def _share(groups: Path, own: Path) -> float:
    """Return the cores that the process's group may use at a time: the least of its own quota and those around it."""
    with suppress(OSError, ValueError, StopIteration):
        place = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::/"))
        folder = groups / place.lstrip("/")
        return min(_quota(each / "cpu.max") for each in (folder, *folder.parents) if each.is_relative_to(groups))
    return math.inf


def _quota(file: Path) -> float:
    """Read `max 100000` or `150000 100000`: microseconds of processor time in each such period."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = file.read_text().split()
        return int(quota) / int(period)
    return math.inf
