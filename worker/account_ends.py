"""Write to users whose accounts are about to end, and end those that are due, each hour."""

from dataclasses import dataclass

from service.db import Pool
from service.store import account_ends
from worker.metrics import Metrics

# Users of a project in one transaction: few enough that it takes some tenths of a second.
_ENDED, _WARNED = 500, 200


@dataclass(slots=True)
class AccountEnds:
    """`sender` is the address that letters come from unless the project has its own."""

    pool: Pool
    metrics: Metrics
    sender: str

    async def run(self) -> None:
        """Warn a batch of each project's users, so that their letters hold up no others; end all that are due."""
        await account_ends.warn_due(self.pool, sender=self.sender, most=_WARNED)
        await account_ends.end_due(self.pool, most=_ENDED, count=self._count)

    def _count(self, reason: account_ends.Reason, number: int) -> None:
        self.metrics.add(f"accounts_ended_{reason}", number)
