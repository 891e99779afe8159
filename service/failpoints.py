"""Failpoints, the places where tests rehearse a crash: each await that leaves this process, by name (docs/faults.md).

For tests only, and off unless FAILPOINTS is set, as `name:action[:nth]` with commas between. The caller checks `armed`
first, so that a point costs one look at an attribute.
"""

import asyncio
import logging
import os
import re
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from service.project_files import ROOT

log = logging.getLogger(__name__)
armed = False

# Names of crossings that are no statements, by peer; each has a point before it and one after it.
CROSSINGS = {
    "db": ("begin", "commit"),
    "redis": ("limits", "enqueue"),
    "smtp": (
        "connect", "greet", "ehlo", "starttls", "auth", "mail", "rcpt", "fence", "data", "content", "dot", "rset",
        "noop", "quit",
    ),
    "sms": ("webhook",),
    "webhook": ("post",),
    "provider": ("fetch",),
    "worker": ("claim", "record", "renew", "release"),
}  # fmt: skip
# Half of a message is sent: there is no before and no after.
_ALONE = ("smtp.half",)
_STATEMENTS = ROOT / "sql" / "queries"
_NAME = re.compile(r"^-- name: (\w+)\(", re.MULTILINE)
_ACTIONS = ("exit", "raise", "cancel", "hang", "sleep")
# A hang: longer than any deadline, and than any test.
_LONG = 86_400.0


@dataclass(frozen=True, slots=True)
class Trap:
    """One armed point: `name` may hold * and ?; `nth` counts its reaches in this process, None is each."""

    name: str
    action: str
    seconds: float
    nth: int | None


_traps: list[Trap] = []
_traces: list[Path] = []
_reached: Counter[str] = Counter()


def names() -> list[str]:
    """List every point that the code has: two a statement of sql/queries, two a crossing to another peer."""
    words = [f"db.{name}" for name in statements()]
    words += [f"{peer}.{word}" for peer in CROSSINGS for word in CROSSINGS[peer]]
    return [f"{word}.{side}" for word in words for side in ("before", "after")] + [*_ALONE]


def statements(*files: str) -> list[str]:
    """List the statements of these files of sql/queries, without their suffix; of all of them if none is named."""
    paths = [_STATEMENTS / f"{file}.sql" for file in files] or sorted(_STATEMENTS.glob("*.sql"))
    return [name for path in paths for name in _NAME.findall(path.read_text())]


def reached(name: str) -> int:
    """Return how often a point was reached since arming in this process."""
    return _reached[name]


def arm(text: str) -> None:
    """Arm points as FAILPOINTS would, counting from now; raises ValueError for an unreadable one."""
    global armed  # noqa: PLW0603 - callers look at one attribute of this module
    disarm()
    for word in filter(None, (word.strip() for word in text.split(","))):
        if word.startswith("trace="):
            _traces.append(Path(word.removeprefix("trace=")))
        else:
            _traps.append(_trap(word))
    armed = bool(_traps or _traces)


def disarm() -> None:
    global armed  # noqa: PLW0603 - as above
    armed = False
    _traps.clear()
    _traces.clear()
    _reached.clear()


def _trap(word: str) -> Trap:
    name, _, rest = word.partition(":")
    action, _, nth = rest.partition(":")
    action, _, seconds = action.partition("=")
    known = any(fnmatchcase(point, name) for point in names())
    if not known or action not in _ACTIONS or bool(seconds) != (action == "sleep"):
        raise ValueError(f"{word!r} is no failpoint: name:action[:nth], actions {', '.join(_ACTIONS)}")
    return Trap(name, action, float(seconds or 0), int(nth) if nth else None)


async def reach(name: str) -> None:
    """Act as armed: exit with 137, raise ConnectionResetError, be cancelled, wait."""
    if not _reached:
        log.warning("Failpoints are armed: this process fails on purpose", extra={"event": "failpoints.armed"})
    _reached[name] += 1
    for trace in _traces:
        with trace.open("a") as file:
            file.write(f"{os.getpid()} {name}\n")
    for trap in _traps:
        if fnmatchcase(name, trap.name) and trap.nth in (None, _reached[name]):
            await _act(trap)


async def _act(trap: Trap) -> None:
    match trap.action:
        case "exit":
            os._exit(137)
        case "raise":
            raise ConnectionResetError(f"failpoint {trap.name}")
        case "cancel":
            if task := asyncio.current_task():
                task.cancel()
            await asyncio.sleep(0)
        case "sleep":
            await asyncio.sleep(trap.seconds)
        case _:
            await asyncio.sleep(_LONG)


arm(os.environ.get("FAILPOINTS", ""))
