"""State of the machine during a run: how much of its processors other programs took, so that a table can say so."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

QUIET = 0.05
_LOOK, _PATIENCE = 2.0, 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time since the start of the machine: everybody's, ours, and what a host took away."""

    at: float
    busy: float
    own: float
    stolen: float


@dataclass(frozen=True, slots=True)
class State:
    """Shares of all processors (0 to 1) that others took in a span, and the load averages at its ends."""

    others: float
    stolen: float
    load: tuple[float, float]

    @property
    def is_quiet(self) -> bool:
        return self.others + self.stolen <= QUIET

    def __str__(self) -> str:
        verdict = "quiet" if self.is_quiet else "BUSY, so trust ratios less and other figures not at all"
        return (
            f"other programs took {self.others:.0%} of the processors and the host {self.stolen:.0%}: {verdict}"
            f" (load average {self.load[0]:.1f} at the start, {self.load[1]:.1f} at the end)"
        )


class Watch:
    """Measure from here to `state()`. Needs /proc: elsewhere nothing is known, and None is answered."""

    def __init__(self) -> None:
        self._load = _load()
        self._began = usage()

    def state(self) -> State | None:
        began, now = self._began, usage()
        if not began or not now:
            return None
        whole = max((now.at - began.at) * (os.cpu_count() or 1), 1e-9)
        stolen = (now.stolen - began.stolen) / whole
        others = (now.busy - began.busy - (now.own - began.own)) / whole
        return State(max(others, 0.0), max(stolen, 0.0), (self._load, _load()))


def ask_for_quiet(report: Callable[[str], None], *, patience: float = _PATIENCE) -> None:
    """Look whether others use the machine; if so, ask for quiet and wait a while for it."""
    limit = time.monotonic() + patience
    asked = False
    while True:
        watch = Watch()
        time.sleep(_LOOK)
        state = watch.state()
        if state is None or state.is_quiet:
            return
        if not asked:
            took = state.others + state.stolen
            report(f"others take {took:.0%} of the processors: please stop them; waiting {patience:.0f} s for quiet")
            asked = True
        if time.monotonic() > limit:
            report("the machine stays busy; the table will say so")
            return


def usage() -> Usage | None:
    """Read the counters of the kernel; None where there are none."""
    try:
        counters = [int(word) / _TICKS for word in Path("/proc/stat").read_text().partition("\n")[0].split()[1:]]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = counters[:8]
    return Usage(time.monotonic(), user + nice + system + interrupts + soft, family_cpu(os.getpid()), stolen)


def family_cpu(pid: int) -> float:
    """Sum the seconds of processor time of a process, its descendants, and all those that they have waited for."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    own = sum(int(word) for word in words[11:15]) / _TICKS
    return own + sum(family_cpu(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    """List the children of all threads of a process."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(word) for text in lists for word in text.split()]


def _load() -> float:
    try:
        return os.getloadavg()[0]
    except OSError:
        return 0.0
