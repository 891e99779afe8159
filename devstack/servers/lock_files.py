"""One server a folder, however the last one ended."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from devstack.servers.errors import ServerError
from devstack.servers.processes import STOP_PATIENCE


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the folder of one server. Its processes inherit the claim, so it ends when the last of them has.

    After `kill -9` of its launcher a server needs a moment to end; the next start waits for that here.
    """
    claim = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + STOP_PATIENCE
    try:
        while not _locked(claim):
            if time.monotonic() > deadline:
                raise ServerError(f"a server already runs on {path.parent}")
            time.sleep(0.02)
        yield claim
    finally:
        os.close(claim)


def _locked(claim: int) -> bool:
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
