"""Who a worker is: a name that no other living process of this machine has, and that outlives a crash.

The name is a lock file in WORKER_STATE. The kernel lets go of it when the process ends, however it ends, so the
next one takes the same name, and with it the leases and the receipts of the one that died.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from worker.asyncio_tools import wait_until

log = logging.getLogger(__name__)
_MOST, _LOOK = 1000, 0.5


@dataclass(frozen=True, slots=True)
class WorkerName:
    """`receipts` is None where nothing can be written; `lock` is the file descriptor that keeps the name ours."""

    name: str
    journal: Path | None = None
    lock: int | None = None

    def touch(self) -> None:
        """So that whoever tidies old files away sees that these are in use."""
        if self.lock is not None and self.journal is not None:
            os.utime(self.lock)
            if self.journal.exists():
                os.utime(self.journal)

    def release(self) -> None:
        """Somebody else may have the name now."""
        if self.lock is not None:
            os.close(self.lock)


async def acquire(wanted: str, state: Path, stop: asyncio.Event) -> WorkerName | None:
    """The name `wanted`, waiting for the process that has it to end, or else the first free one of this host.

    None when told to stop while waiting. Where nothing can be written the name is this process's alone.
    """
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())
    try:
        folder = _folder(state)
        return await _wait(folder, wanted, stop) if wanted else _first_free(folder, host)
    except OSError as error:
        name = wanted or f"{host}-{os.getpid()}"
        log.warning("WORKER_STATE can't be used: after a crash mails wait for their leases", extra={
            "worker": name, "cause": type(error).__name__,
        })  # fmt: skip
        return WorkerName(name)


def default_state(database_url: str) -> Path:
    """In /tmp, of this user and of this database: receipts say nothing to another one."""
    parts = urlsplit(database_url)
    place = f"{parts.netloc.rpartition('@')[2]}{parts.path}".encode()
    return Path(tempfile.gettempdir()) / f"accounts-worker-{os.geteuid()}-{hashlib.sha256(place).hexdigest()[:8]}"


def _folder(folder: Path) -> Path:
    """Made if need be. In a place like /tmp, where anybody may write, it must be ours. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.parent.stat().st_mode & stat.S_IWOTH:
        found = folder.lstat()
        if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError
    return folder


async def _wait(folder: Path, name: str, stop: asyncio.Event) -> WorkerName | None:
    told = False
    while not stop.is_set():
        if found := _lock(folder, name):
            return found
        if not told:
            log.warning("another process has this WORKER_ID: waiting for its end", extra={"worker": name})
            told = True
        await wait_until(stop, until=asyncio.get_running_loop().time() + _LOOK)
    return None


def _first_free(folder: Path, host: str) -> WorkerName:
    for number in range(_MOST):
        if found := _lock(folder, f"{host}-{number}"):
            return found
    raise FileExistsError


def _lock(folder: Path, name: str) -> WorkerName | None:
    """None while a living process has the name."""
    path = folder / f"{name}.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except BaseException:
        os.close(lock)
        raise
    return WorkerName(name, folder / f"{name}.receipts", lock)


@contextmanager
def _is_temporary(folder: Path, name: str) -> Iterator[WorkerName | None]:
    found = _lock(folder, name)
    try:
        yield found
    finally:
        if found:
            found.release()


def orphaned(own: WorkerName) -> Iterator[WorkerName]:
    """Names of which nothing but receipts is left: of a host renamed, or of more workers than there are now."""
    if own.journal is None:
        return
    for path in sorted(own.journal.parent.glob("*.receipts")):
        if path != own.journal:
            with _is_temporary(path.parent, path.name.removesuffix(".receipts")) as found:
                if found:
                    yield found
