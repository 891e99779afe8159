"""Journal of mails that a relay accepted and no row records yet, so that a crash in between sends nothing twice.

A line is appended by one write before Postgres is told, and by that survives the process; it survives the machine
once fsynced, while Postgres is away. It holds only an id, an attempt, a reply code and a relay's name.
"""

import asyncio
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from service.outages import Outage
from service.store.outbox_leases import Lease

log = logging.getLogger(__name__)
LONGEST = 65_536
# The final point shows that the line is complete.
_LINE = re.compile(r"([0-9a-f]{32}) ([0-9]{1,9}) ([0-9]{1,3}) ([!-~]{0,300}) \.")


@dataclass(frozen=True, slots=True)
class SentEntry:
    """Acceptance of one attempt: reply `code` of the relay `server`."""

    lease: Lease
    code: int
    server: str


class SentJournal:
    """Entries, `open` until their rows record them. Without a path they are kept in memory only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = None if path is None else _open(path)
        self._size = 0
        self.open: dict[Lease, SentEntry] = {}
        self._outage = Outage(
            str(path),
            "sent_journal",
            fell="The worker can't write its journal of sent mails",
            back="The worker writes its journal of sent mails again",
        )

    def append(self, entry: SentEntry) -> None:
        """Append an entry. Never raises: a full disk makes a crash worse, but stops no mail."""
        self.open[entry.lease] = entry
        if self._file is None:
            return
        # A newline comes first too: a line that a full disk cut short spoils no other.
        line = f"\n{_format_line(entry)}\n".encode()
        try:
            _write(self._file, line)
        except OSError as error:
            self._outage.record_failure(f"{error.strerror}: a crash now may send a mail twice")
        else:
            self._size += len(line)
            self._outage.record_success()

    async def fsync(self) -> None:
        """Flush to the disk, while Postgres is away."""
        if self._file is not None:
            try:
                await asyncio.to_thread(os.fsync, self._file)
            except OSError as error:
                self._outage.record_failure(f"{error.strerror}: a crash now may send a mail twice")

    def remove(self, entry: SentEntry) -> None:
        """Remove an entry that its row records."""
        self.open.pop(entry.lease, None)
        if self._size > LONGEST:
            self._compact()

    def clear(self) -> None:
        """Empty the file after its replay."""
        if self._file is not None:
            os.ftruncate(self._file, 0)

    def _compact(self) -> None:
        """Replace the file by one with the open entries; the old one stays complete until then."""
        if self._path is None or self._file is None:
            return
        # If that fails it is tried again after as many bytes more.
        self._size = 0
        try:
            file = _write_anew(self._path, self.open.values())
        except OSError as error:
            log.warning(
                "The worker could not compact its journal of sent mails",
                extra={"event": "sent_journal.compact_failed", "cause": type(error).__name__},
            )
        else:
            os.close(self._file)
            self._file = file

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read(path: Path) -> tuple[list[SentEntry], int]:
    """Read a journal: its entries, and the number of unreadable lines."""
    try:
        lines = [line for line in path.read_bytes().decode("latin-1").split("\n") if line]
    except FileNotFoundError:
        return [], 0
    found = [match for line in lines if (match := _LINE.fullmatch(line))]
    journal = [SentEntry(Lease(UUID(fields[1]), int(fields[2])), int(fields[3]), fields[4]) for fields in found]
    return journal, len(lines) - len(found)


def _format_line(entry: SentEntry) -> str:
    return f"{entry.lease.id.hex} {entry.lease.attempts} {entry.code} {entry.server} ."


def _write_anew(path: Path, entries: Iterable[SentEntry]) -> int:
    """Replace a journal by one with these entries, and return it open. Raises OSError, and leaves the old one then."""
    new, text = path.with_suffix(".new"), "".join(f"{_format_line(entry)}\n" for entry in entries).encode()
    new.unlink(missing_ok=True)
    file = _open(new)
    try:
        _write(file, text)
        new.replace(path)
    except OSError:
        os.close(file)
        raise
    return file


def _write(file: int, data: bytes) -> None:
    """Write all of it. A disk that gets full takes a part, and refuses the next one."""
    while data:
        data = data[os.write(file, data) :]


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
