"""Name of a worker: unique among the live processes of this machine, and kept after a crash.

The name is a lock file in WORKER_STATE. The kernel releases the lock when the process ends, in whatever way, so the
next process gets the same name, and with it the leases and the journal of the one that died.
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

from worker.waiting import wait_until

log = logging.getLogger(__name__)
_MOST, _RETRY = 1000, 0.5


@dataclass(frozen=True, slots=True)
class WorkerName:
    """Name that this process holds by the file descriptor `lock`; `journal` is None where no file can be written."""

    name: str
    journal: Path | None = None
    lock: int | None = None

    def touch(self) -> None:
        """Renew the files' times, so that a cleaner of temporary files keeps them."""
        if self.lock is not None and self.journal is not None:
            os.utime(self.lock)
            if self.journal.exists():
                os.utime(self.journal)

    def release(self) -> None:
        """Release the name for another process."""
        if self.lock is not None:
            os.close(self.lock)


async def acquire(wanted: str, state: Path, stop: asyncio.Event) -> WorkerName | None:
    """Lock the name `wanted`, waiting for the process that holds it, or else the first free one of this host.

    None when told to stop while waiting. Where no file can be written the name is unique by the process id.
    """
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())
    try:
        folder = _folder(state)
        return await _wait(folder, wanted, stop) if wanted else _first_free(folder, host)
    except OSError as error:
        name = wanted or f"{host}-{os.getpid()}"
        log.warning(
            "The worker can't use WORKER_STATE; after a crash its mails wait until its leases expire",
            extra={"event": "worker.state_unusable", "worker": name, "cause": type(error).__name__},
        )
        return WorkerName(name)


def default_state(database_url: str) -> Path:
    """Return a folder in the temporary one for this user and this database: a journal is of no use to another."""
    parts = urlsplit(database_url)
    place = f"{parts.netloc.rpartition('@')[2]}{parts.path}".encode()
    return Path(tempfile.gettempdir()) / f"accounts-worker-{os.geteuid()}-{hashlib.sha256(place).hexdigest()[:8]}"


def _folder(folder: Path) -> Path:
    """Create the folder if need be. In one like /tmp, where any user may write, it must be ours. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.parent.stat().st_mode & stat.S_IWOTH:
        found = folder.lstat()
        if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError
    return folder


async def _wait(folder: Path, name: str, stop: asyncio.Event) -> WorkerName | None:
    logged = False
    while not stop.is_set():
        if found := _lock(folder, name):
            return found
        if not logged:
            log.warning(
                "Another process has this WORKER_ID; the worker waits until it ends",
                extra={"event": "worker.name_in_use", "worker": name},
            )
            logged = True
        await wait_until(stop, until=asyncio.get_running_loop().time() + _RETRY)
    return None


def _first_free(folder: Path, host: str) -> WorkerName:
    for number in range(_MOST):
        if found := _lock(folder, f"{host}-{number}"):
            return found
    raise FileExistsError


def _lock(folder: Path, name: str) -> WorkerName | None:
    """Lock a name; None while a live process holds it."""
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
def _locked(folder: Path, name: str) -> Iterator[WorkerName | None]:
    found = _lock(folder, name)
    try:
        yield found
    finally:
        if found:
            found.release()


def orphaned(own: WorkerName) -> Iterator[WorkerName]:
    """Lock in turn each name whose worker is gone but whose journal is left: of a renamed host, or fewer workers."""
    if own.journal is None:
        return
    for path in sorted(own.journal.parent.glob("*.receipts")):
        if path != own.journal:
            with _locked(path.parent, path.name.removesuffix(".receipts")) as found:
                if found:
                    yield found
