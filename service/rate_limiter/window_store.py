"""The windows in Postgres, as the rate limiter uses them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class WindowUsage(Protocol):
    """Usage of a window by Postgres; no moment if the call is counted nowhere."""

    @property
    def before(self) -> int: ...
    @property
    def wait(self) -> int: ...
    @property
    def counted_at(self) -> datetime | None: ...


class WindowReset(Protocol):
    """A window that an operator has emptied."""

    @property
    def name(self) -> str: ...
    @property
    def at(self) -> datetime: ...


class WindowStore(Protocol):
    """The windows in Postgres; raises database errors."""

    async def count(
        self, names: Sequence[str], limits: Sequence[int], seconds: Sequence[int], groups: Sequence[int] = ()
    ) -> Sequence[WindowUsage]: ...
    async def refund(self, names: Sequence[str], limits: Sequence[int], moments: Sequence[datetime]) -> None: ...
    async def resets(self, since: datetime) -> Sequence[WindowReset]: ...
