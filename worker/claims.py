"""Claims of one worker whose answer was lost with its connection: nobody sends what they may have claimed."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from service import db


@dataclass(slots=True)
class Claims:
    """Claims under way, and those that got no answer: `unconfirmed` rows may be leased to this worker."""

    unconfirmed: set[UUID] = field(default_factory=set)
    _claiming: set[UUID] = field(default_factory=set)

    @contextmanager
    def claiming(self, row_id: UUID) -> Iterator[bool]:
        """Yield True if the row may be claimed: no other task is claiming it, and its last claim was answered."""
        if row_id in self._claiming or row_id in self.unconfirmed:
            yield False
            return
        self._claiming.add(row_id)
        try:
            yield True
        except Exception as error:
            if db.find_fault(error):
                self.unconfirmed.add(row_id)
            raise
        finally:
            self._claiming.discard(row_id)

    def lost(self, *, busy: Collection[UUID]) -> set[UUID]:
        """Return the unconfirmed rows that no task of this worker has in hand; `busy` are those of an earlier claim."""
        return self.unconfirmed - self._claiming - {*busy}
