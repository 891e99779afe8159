"""A Valkey of a test's own: stopped, wiped, paused and filled at will; its port stays the same."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from devstack.servers import Server, start_valkey
from testkit.processes import lasting_port


@dataclass
class Store:
    """`lasting`: data survive a restart, as in production; else each start is empty. Use from the main thread."""

    folder: Path
    lasting: bool = True
    port: int = field(default_factory=lasting_port)
    server: Server | None = None

    def start(self) -> None:
        self.server = start_valkey(self.folder, port=self.port, throwaway=not self.lasting)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, by SIGKILL if asked; does nothing if it is down."""
        if self.server:
            if self.server.running:
                self.server.process.send_signal(number)
            self.server.stop()
            self.server = None

    def url(self, *, port: int | None = None) -> str:
        """With `port`, the address through a proxy. Known from the first start on."""
        password = (self.folder / "valkey" / "password").read_text()
        return f"redis://:{password}@127.0.0.1:{port or self.port}/0"

    def pause(self) -> None:
        """SIGSTOP: it takes connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.server:
            os.kill(self.server.pid, number)

    async def command(self, *words: Any) -> Any:
        """Asked past every proxy: ("CLIENT", "PAUSE", 1000), ("REPLICAOF", …), ("CONFIG", "SET", …) and so on."""
        redis: Any = Redis.from_url(self.url())
        try:
            return await redis.execute_command(*words)
        finally:
            await redis.aclose()

    async def wipe(self) -> None:
        """All data gone, the connections stay."""
        await self.command("FLUSHALL")

    async def fill(self, *, full: str = "1") -> None:
        """OOM: writes are refused (noeviction) until `fill(full="0")`, which takes the limit away."""
        await self.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await self.command("CONFIG", "SET", "maxmemory", full)


@asynccontextmanager
async def store(folder: Path, *, lasting: bool = True) -> AsyncIterator[Store]:
    """Start a store; its data are deleted with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Store(folder, lasting)
    made.start()
    try:
        yield made
    finally:
        made.resume()
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
