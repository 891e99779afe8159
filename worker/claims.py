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
    def claiming(self, *row_ids: UUID) -> Iterator[list[UUID]]:
        """Yield the rows that may be claimed: no other task is claiming them, and their last claim was answered."""
        free = [row_id for row_id in row_ids if self.is_free(row_id)]
        self._claiming.update(free)
        try:
            yield free
        except Exception as error:
            if db.find_fault(error):
                self.unconfirmed.update(free)
            raise
        finally:
            self._claiming.difference_update(free)

    def is_free(self, row_id: UUID) -> bool:
        return row_id not in self._claiming and row_id not in self.unconfirmed

    def lost(self, *, busy: Collection[UUID]) -> set[UUID]:
        """Return the unconfirmed rows that no task of this worker has in hand; `busy` are those of an earlier claim."""
        return self.unconfirmed - self._claiming - {*busy}
