"""A chaos proxy before Postgres, Redis or SMTP: it passes bytes on, or does to them what networks do.

    async with Proxy("127.0.0.1", port) as proxy:
        proxy.change(latency=0.2)
        ...
        await proxy.refuse()
        await proxy.up()

The weather may change at any time and holds for what is connected too. Longer than other files: the ways to break
one connection belong together.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from testkit.processes import lasting_port

Way = Literal["up", "down"]  # from the client to the server, and back
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time at all: close() sends RST
_CHUNK, _LONGEST_WORD = 65_536, 256


@dataclass(frozen=True, slots=True)
class Weather:
    """Faults of the line. `latency` and `jitter` are seconds a chunk; `bandwidth` is bytes a second each way.

    `reset`: a new connection gets RST. `black_hole`: it is taken, nothing passes, and live ones stall too.
    `cut_up`, `cut_down`: the connection ends once so many bytes have passed that way; these arrive.
    `corrupt`, `cut_share`: the share of chunks in which a byte is changed, or with which the connection is cut.
    """

    reset: bool = False
    black_hole: bool = False
    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    cut_up: int | None = None
    cut_down: int | None = None
    corrupt: float = 0.0
    cut_share: float = 0.0


FAIR = Weather()


@dataclass(frozen=True, slots=True)
class Cue:
    """Ends one connection when `word` comes by; whether it still arrives is the question of most faults."""

    way: Way
    word: bytes
    arrives: bool


@dataclass(eq=False, slots=True)
class Line:
    """One connection through the proxy; `passed` counts its bytes each way, `spoke` is who sent last."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    passed: Counter[Way] = field(default_factory=Counter)
    seen: dict[Way, bytes] = field(default_factory=lambda: {"up": b"", "down": b""})
    spoke: Way = "down"

    def ends(self) -> Iterable[asyncio.StreamWriter]:
        return (end for end in (self.client, self.server) if end is not None)


@dataclass(eq=False)
class Proxy:
    """In front of host:upstream, on a port of 127.0.0.1 that stays the same; `seed` makes chance repeatable.

    `counts`: accepted, reset, cut, corrupted, the bytes passed up and down, and the round trips: how often a client
    spoke after the server had.
    """

    host: str
    upstream: int
    seed: int = 1
    port: int = 0
    weather: Weather = FAIR
    lines: set[Line] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    cues: list[Cue] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def up(self) -> None:
        """Listen, in fair weather and without cues."""
        self.turn(FAIR)
        self.cues.clear()
        if self._server is None:
            self.port = self.port or lasting_port()
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def refuse(self) -> None:
        """Nobody listens any more and what was connected is cut: the machine is there, its program is not."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut_all()

    def turn(self, weather: Weather) -> None:
        self.weather = weather
        self._changed.set()
        self._changed = asyncio.Event()

    def change(self, **facts: Any) -> None:
        """Change some of the weather; the rest stays."""
        self.turn(replace(self.weather, **facts))

    def cut_at(self, word: bytes, *, way: Way = "up", arrives: bool) -> None:
        """Cut the next connection on which these bytes (at most 256) come by, once."""
        self.cues.append(Cue(way, word, arrives))

    async def cut_all(self) -> None:
        """RST to both ends of every connection."""
        for line in list(self.lines):
            self.counts["cut"] += 1
            for end in line.ends():
                _reset(end)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def half_close(self) -> None:
        """FIN to both ends: each may still speak, and is not answered any more."""
        for line in self.lines:
            for end in line.ends():
                if not end.is_closing():
                    end.write_eof()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        line = Line(writer)
        self.lines.add(line)
        self.counts["accepted"] += 1
        try:
            if self.weather.reset:
                raise ConnectionResetError
            await self._through(line, reader)
        except OSError:
            self.counts["reset" if line.server is None else "cut"] += 1
            for end in line.ends():
                _reset(end)
        except asyncio.CancelledError:
            pass  # cut_all has seen to both ends
        finally:
            self.lines.discard(line)
            self._tasks.discard(task)
            for end in line.ends():
                end.close()

    async def _through(self, line: Line, from_client: asyncio.StreamReader) -> None:
        """Until both directions have ended, or one is cut."""
        await self._open_sky()
        from_server, line.server = await asyncio.open_connection(self.host, self.upstream)
        pumps = {
            asyncio.create_task(self._pump(line, "up", from_client, line.server)),
            asyncio.create_task(self._pump(line, "down", from_server, line.client)),
        }
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
            for pump in done:
                pump.result()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, line: Line, way: Way, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK):
            await self._delay(len(chunk))
            passing, last = self._judge(line, way, chunk)
            target.write(passing)
            await target.drain()
            line.passed[way] += len(passing)
            self.counts[way] += len(passing)
            self.counts["trips"] += way == "up" and line.spoke == "down"
            line.spoke = way
            if last:
                target.close()  # by FIN, behind the bytes that are to arrive; the other end gets RST
                raise ConnectionResetError
        if not target.is_closing():
            with contextlib.suppress(OSError):
                target.write_eof()

    async def _open_sky(self) -> None:
        while self.weather.black_hole:
            await self._changed.wait()

    async def _delay(self, size: int) -> None:
        await self._open_sky()
        weather = self.weather
        seconds = weather.latency + self._chance.uniform(-weather.jitter, weather.jitter)
        seconds += size / weather.bandwidth if weather.bandwidth else 0
        if seconds > 0:
            await asyncio.sleep(seconds)
            await self._open_sky()

    def _judge(self, line: Line, way: Way, chunk: bytes) -> tuple[bytes, bool]:
        """Return the part of a chunk that passes, and whether it is the last of its connection."""
        if self.cues and (cue := self._cue(line, way, chunk)):
            return (chunk if cue.arrives else b""), True
        limit = self.weather.cut_up if way == "up" else self.weather.cut_down
        if limit is not None and line.passed[way] + len(chunk) >= limit:
            return chunk[: max(0, limit - line.passed[way])], True
        if self._chance.random() < self.weather.corrupt:
            self.counts["corrupted"] += 1
            at = self._chance.randrange(len(chunk))
            chunk = chunk[:at] + bytes([chunk[at] ^ 0xFF]) + chunk[at + 1 :]
        return chunk, self._chance.random() < self.weather.cut_share

    def _cue(self, line: Line, way: Way, chunk: bytes) -> Cue | None:
        seen = line.seen[way] + chunk
        line.seen[way] = seen[-_LONGEST_WORD:]
        found = next((cue for cue in self.cues if cue.way == way and cue.word in seen), None)
        if found:
            self.cues.remove(found)
        return found


def _reset(end: asyncio.StreamWriter) -> None:
    """RST: what is under way is thrown away on both sides. Nothing to an end that is closing already."""
    if not end.is_closing():
        with contextlib.suppress(OSError):
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.transport.abort()
