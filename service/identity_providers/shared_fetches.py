"""Documents that are fetched once for all that wait for them, and kept for a time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Document = TypeVar("Document")
_MOST = 1024


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Document]):
    """A document, when it was fetched, and for how many seconds it may be kept."""

    document: Document
    at: float
    seconds: float


class SharedFetches(Generic[Document]):
    """Documents by key. A failed fetch fails for all that waited, and is not remembered.

    `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[Hashable, Fetched[Document]] = {}
        self._running: dict[Hashable, asyncio.Task[Fetched[Document]]] = {}

    async def get(self, key: Hashable, fetch: Callable[[], Awaitable[tuple[Document, float]]]) -> Document:
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.at + kept.seconds:
            return kept.document
        return await self.get_anew(key, fetch)

    async def get_anew(self, key: Hashable, fetch: Callable[[], Awaitable[tuple[Document, float]]]) -> Document:
        """Fetch even what is kept; who comes meanwhile waits for the same fetch."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(self._fetch(key, fetch))
            # Asked for here, for all that waited may have gone away.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return (await asyncio.shield(task)).document

    async def _fetch(self, key: Hashable, fetch: Callable[[], Awaitable[tuple[Document, float]]]) -> Fetched[Document]:
        try:
            document, seconds = await fetch()
        finally:
            del self._running[key]
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = found = Fetched(document, self._clock(), seconds)
        return found

    async def close(self) -> None:
        """Cancel what is under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
