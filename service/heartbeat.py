"""Heartbeat file of a live worker, and its age. It imports nothing of ours, so that a check costs little."""

import json
import os
import time
from pathlib import Path
from typing import Any

_CONTAINER_SECRETS = Path("/run/secrets")
SETTING = "worker_heartbeat"
USUAL = Path("/tmp/worker.alive")  # noqa: S108 - counters alone, in the container's own folder
# Seconds within which a worker's loop must have written.
_STALE = 30.0


def secrets_folders() -> list[Path]:
    """List the folders whose files are settings too: a container's secrets, and systemd's credentials, which win."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return [path for path in (_CONTAINER_SECRETS, Path(credentials) if credentials else None) if path and path.is_dir()]


def heartbeat_path() -> Path:
    """Return WORKER_HEARTBEAT as the settings read it, without the other settings."""
    given = next((value for name, value in os.environ.items() if name.lower() == SETTING), None)
    if given is None:
        try:
            files = [each for folder in secrets_folders() for each in folder.iterdir() if each.name.lower() == SETTING]
            given = files[-1].read_text().strip() if files else None
        except OSError:
            given = None
    return USUAL if given is None else Path(given)


def read_heartbeat(path: Path) -> dict[str, Any]:
    """Read a heartbeat: its age in seconds and its counters, None if it can't be read; `alive` if it is recent."""
    try:
        age = time.time() - path.stat().st_mtime
        counts = json.loads(path.read_bytes() or b"null")
    except (OSError, ValueError):
        return {"alive": False, "heartbeat": None, "counts": None}
    return {"alive": age < _STALE, "heartbeat": round(age, 1), "counts": counts}


def describe(*, as_json: bool) -> tuple[bool, str]:
    """Tell whether this machine's worker is alive, in one line."""
    answer = read_heartbeat(heartbeat_path())
    alive = bool(answer["alive"])
    if as_json:
        return alive, json.dumps(answer)
    return alive, f"alive: {alive}" if alive else f"alive: {alive} ({_why(answer)})"


def _why(answer: dict[str, Any]) -> str:
    if answer["heartbeat"] is None:
        return f"no heartbeat at {heartbeat_path()}: is a worker running, and is that its WORKER_HEARTBEAT?"
    return f"the last heartbeat is {answer['heartbeat']:.0f} s old: the worker hangs, or was killed"
