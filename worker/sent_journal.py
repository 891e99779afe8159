"""What a relay took and no row says yet: a file of this worker's own, so that a crash in between sends nothing twice.

A line is written by one call before Postgres is asked, and survives the process by that alone. It survives the
machine too once it has to wait for Postgres. Only an id, a number and a relay's name stand in it.
"""

import asyncio
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from service.outages import Outage
from service.store.outbox import Lease

log = logging.getLogger(__name__)
LONGEST = 65_536
# The point says that the line is whole.
_LINE = re.compile(r"([0-9a-f]{32}) ([0-9]{1,9}) ([0-9]{1,3}) ([!-~]{0,300}) \.")


@dataclass(frozen=True, slots=True)
class SentEntry:
    """The relay `server` answered `code` to one attempt's content."""

    lease: Lease
    code: int
    server: str


class SentJournal:
    """`open` are those whose rows don't say it yet. Without a path they are remembered, and lost with the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = None if path is None else _open(path)
        self._size = 0
        self.open: dict[Lease, SentEntry] = {}
        self._outage = Outage(str(path), fell="a receipt could not be written", back="receipts are written again")

    def append(self, receipt: SentEntry) -> None:
        """Never raises: a full disk makes a crash worse, it stops no mail."""
        self.open[receipt.lease] = receipt
        if self._file is None:
            return
        # The newline comes first too: what a full disk cut short spoils no other line.
        line = f"\n{_parse(receipt)}\n".encode()
        try:
            self._size += os.write(self._file, line)
        except OSError as error:
            self._outage.record_failure(f"{error.strerror}: a crash now may send a mail twice")
        else:
            self._outage.record_success()

    async def fsync(self) -> None:
        """To the disk itself: the rows can't be asked for now, and nobody knows for how long."""
        if self._file is not None:
            try:
                await asyncio.to_thread(os.fsync, self._file)
            except OSError as error:
                self._outage.record_failure(f"{error.strerror}: a crash now may send a mail twice")

    def remove(self, receipt: SentEntry) -> None:
        """Its row says it now."""
        self.open.pop(receipt.lease, None)
        if self._size > LONGEST:
            self._compact()

    def clear(self) -> None:
        """All of the file has been read and is in the rows."""
        if self._file is not None:
            os.ftruncate(self._file, 0)

    def _compact(self) -> None:
        """Begin the file anew with what is open; the old one is whole until the new one is."""
        if self._path is None or self._file is None:
            return
        new = self._path.with_suffix(".new")
        try:
            new.unlink(missing_ok=True)
            file = _open(new)
            self._size = os.write(file, "".join(f"{_parse(receipt)}\n" for receipt in self.open.values()).encode())
            new.replace(self._path)
        except OSError as error:
            log.warning("the receipts could not be shortened", extra={"cause": type(error).__name__})
        else:
            os.close(self._file)
            self._file = file

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read(path: Path) -> tuple[list[SentEntry], int]:
    """What a worker that is no more left behind, and how many lines make no sense."""
    try:
        lines = [line for line in path.read_bytes().decode("latin-1").split("\n") if line]
    except FileNotFoundError:
        return [], 0
    found = [match for line in lines if (match := _LINE.fullmatch(line))]
    journal = [SentEntry(Lease(UUID(said[1]), int(said[2])), int(said[3]), said[4]) for said in found]
    return journal, len(lines) - len(found)


def _parse(receipt: SentEntry) -> str:
    return f"{receipt.lease.id.hex} {receipt.lease.attempts} {receipt.code} {receipt.server} ."


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
