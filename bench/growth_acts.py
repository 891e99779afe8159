"""The main acts with few users and with millions: one request at a time, to two processes in turns, on one server."""

import asyncio
import time
from collections.abc import Callable

from bench.ground import PROJECT, Ground, api, sign_up
from bench.writes import ACTS, Acts

# The most by which the slowest hundredth may grow, and requests to one process in turn.
GOAL, TURN = 1.3, 20


async def measure(small: Ground, large: Ground, *, requests: int, report: Callable[[str], None]) -> None:
    """Print a row for each act, of so many requests a size; one that fails says so, and the others are measured."""
    report(f"{'act':40}{'p50 small':>10}{'large':>8}{'p99 small':>11}{'large':>8}   ratio <= {GOAL:g}")
    settings = {"TRUSTED_HOPS": "1"}
    async with (
        api(small, module="bench.unhashed", settings=settings) as (_, few),
        api(large, module="bench.unhashed", settings=settings) as (_, many),
    ):
        ports = {few: small, many: large}
        acts = {port: Acts(place) for port, place in ports.items()}
        for name in ("GET /v1/account by cookie", *(act.name for act in ACTS)):
            try:
                async with asyncio.timeout(180):
                    ready = {port: await _requests(place, name, acts[port], requests) for port, place in ports.items()}
                    first, second = await _interleave(ready)
            except Exception as error:  # noqa: BLE001 - a row of the table
                report(f"{name:40} not measured: {type(error).__name__}: {str(error)[:80]}")
                continue
            ratio = _slowest(second) / _slowest(first)
            report(
                f"{name:40}{_middle(first):10.2f}{_middle(second):8.2f}{_slowest(first):11.2f}{_slowest(second):8.2f}"
                f"   {ratio:.2f} {'met' if ratio <= GOAL else 'MISSED'}"
            )


async def _requests(place: Ground, name: str, acts: Acts, count: int) -> list[bytes]:
    for act in ACTS:
        if act.name == name:
            return [text.encode() for text in await acts.requests(act, count)]
    head = f"GET /v1/account HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: {PROJECT}\r\n"
    members = await sign_up(place, 20)
    return [f"{head}Cookie: {members[number % 20].cookie}\r\n\r\n".encode() for number in range(count)]


async def _interleave(requests: dict[int, list[bytes]]) -> list[list[float]]:
    """Send some to one process and some to the other, until all are sent; return the milliseconds of each."""
    taken: dict[int, list[float]] = {port: [] for port in requests}
    for start in range(0, len(next(iter(requests.values()))), TURN):
        for port in requests if start // TURN % 2 else reversed(requests):
            taken[port] += await _send(port, requests[port][start : start + TURN])
    return list(taken.values())


async def _send(port: int, requests: list[bytes]) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken = []
    try:
        for request in requests:
            began = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (
                    int(line.partition(":")[2])
                    for line in head.splitlines()
                    if line.lower().startswith("content-length")
                ),
                0,
            )
            await reader.readexactly(length)
            taken.append((time.perf_counter() - began) * 1000)
            if not head.startswith("HTTP/1.1 20"):
                raise ConnectionError(head.partition("\r\n")[0])
    finally:
        writer.close()
    return taken


def _middle(taken: list[float]) -> float:
    return sorted(taken)[len(taken) // 2]


def _slowest(taken: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(taken)[len(taken) * 99 // 100]
