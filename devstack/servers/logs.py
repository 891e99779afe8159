"""Logs of servers and programs."""

from pathlib import Path
from typing import BinaryIO

from devstack.servers.folders import folder

LOG_LIMIT = 5_000_000


def open_log(path: Path) -> BinaryIO:
    """Open for appending; what grew past LOG_LIMIT bytes becomes `.old` first."""
    folder(path.parent)
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(path.name + ".old"))
    return path.open("ab")


def last_lines(log: Path, /, *, since: int = 0, count: int = 12) -> str:
    """Indent what a log says after the byte `since`, for the end of an error."""
    with log.open("rb") as file:
        file.seek(since)
        written = file.read().decode(errors="replace")
    return "\n".join(f"    {line}" for line in written.splitlines()[-count:])
