"""Load balancer before several APIs, as in production: it asks each for readiness, and forwards clients."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from testkit.cluster import ManagedProcess
from testkit.waiting import until

# Seconds between two questions; processes are given STOP_DELAY, which must be longer.
ROUND = 0.2


@dataclass
class Front:
    """`ready` are the ports of the APIs that said so last, but those that an operator has `closed`.

    `lines` are the clients by port.
    """

    processes: list[ManagedProcess]
    port: int = 0
    ready: list[int] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    lines: Counter[int] = field(default_factory=Counter)
    _turn: int = 0
    _busy: "set[asyncio.Task[None]]" = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def watch(self) -> None:
        patience = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=patience) as session:
            while True:
                answers = await asyncio.gather(*(_asks(session, process) for process in self.processes))
                self.ready = [
                    port
                    for port, yes in zip(map(_port, self.processes), answers, strict=True)
                    if yes and port not in self.closed
                ]
                await asyncio.sleep(ROUND)

    async def bring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client to the next API; one that can't be connected to is left out at once, as proxies do."""
        task = asyncio.current_task()
        assert task
        self._busy.add(task)
        ends = [writer]
        try:
            async with self._line() as found:
                if found:
                    ends.append(found[1])
                    await asyncio.gather(_pass(reader, found[1]), _pass(found[0], writer))
        finally:
            self._busy.discard(task)
            for end in ends:
                end.close()
            await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None]:
        while self.ready:
            self._turn += 1
            port = self.ready[self._turn % len(self.ready)]
            self.lines[port] += 1
            try:
                try:
                    found = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    self.ready = [other for other in self.ready if other != port]
                    continue
                yield found
            finally:
                self.lines[port] -= 1
            return
        yield None

    async def leave_out(self, process: ManagedProcess) -> None:
        """By hand, whatever it says of itself; waits until what it has begun is finished."""
        self.closed.add(_port(process))
        self.ready = [port for port in self.ready if port not in self.closed]
        await until(lambda: not self.lines[_port(process)], what="its clients do not leave")

    def take_in(self, process: ManagedProcess) -> None:
        self.closed.discard(_port(process))

    async def close(self) -> None:
        busy = list(self._busy)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


@asynccontextmanager
async def front(processes: list[ManagedProcess]) -> AsyncIterator[Front]:
    """Open for clients once all of them are ready."""
    made = Front(processes)
    watching = asyncio.create_task(made.watch())
    server = await asyncio.start_server(made.bring, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    await until(lambda: len(made.ready) == len(processes), what="not all of them are ready")
    try:
        yield made
    finally:
        server.close()
        watching.cancel()
        await made.close()
        await asyncio.gather(watching, return_exceptions=True)


def _port(process: ManagedProcess) -> int:
    """None of a worker's: it has no clients."""
    return int(process.environment.get("PORT", 0))


async def _asks(session: aiohttp.ClientSession, process: ManagedProcess) -> bool:
    try:
        async with session.get(f"{process.health}/ready") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
