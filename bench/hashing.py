"""GET /v1/account while passwords are hashed at full rate, beside the same reads on an idle process."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp

from bench.ground import PROJECT, Ground, Member, api
from bench.table import Row
from bench.waits import quantile

GOAL = 1.3
_CLIENTS, _PACE = 4, 0.002
_PASSWORD = "correct horse battery"  # noqa: S105 - of users of this bench


class SignIns:
    """Clients that sign in as fast as they are answered; each has a user of its own."""

    def __init__(self, client: aiohttp.ClientSession, address: str) -> None:
        self._client, self._address = client, address
        self.answered = 0

    async def sign_up(self) -> None:
        for number in range(_CLIENTS):
            await self._post("/v1/account", number, 201)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sign in until the block ends; begin it once each client has been answered."""
        clients = [asyncio.create_task(self._sign_in(number)) for number in range(_CLIENTS)]
        try:
            while self.answered < _CLIENTS and not any(client.done() for client in clients):  # noqa: ASYNC110 - both count
                await asyncio.sleep(0.01)
            self.answered = 0
            yield
        finally:
            for client in clients:
                client.cancel()
                with suppress(asyncio.CancelledError):
                    await client
            self.answered = 0

    async def _sign_in(self, number: int) -> None:
        while True:
            await self._post("/v1/account/sessions/email", number, 201)
            self.answered += 1

    async def _post(self, path: str, number: int, wanted: int) -> None:
        body = {"email": f"hashing-{number}@example.com", "password": _PASSWORD}
        async with self._client.post(self._address + path, json=body) as answer:
            if answer.status != wanted:
                raise RuntimeError(f"{path} was answered with {answer.status}")


async def measure(
    ground: Ground, member: Member, *, rounds: int, reads: int, report: Callable[[str], None]
) -> list[Row]:
    """Read in turns with and without sign-ins, so many times each."""
    idle, beside, rates = [], [], []
    project, unkept = {"X-Appwrite-Project": PROJECT}, aiohttp.DummyCookieJar()
    async with (
        api(ground, settings={"LIMITS": "off"}) as (_, port),
        aiohttp.ClientSession(headers=project, cookie_jar=unkept) as client,
    ):
        address = f"http://127.0.0.1:{port}"
        sign_ins = SignIns(client, address)
        await sign_ins.sign_up()
        await _p99(client, address, member, reads // 4)
        for number in range(rounds):
            idle.append(await _p99(client, address, member, reads))
            async with sign_ins.running():
                began = time.monotonic()
                beside.append(await _p99(client, address, member, reads))
                rates.append(sign_ins.answered / (time.monotonic() - began))
            report(f"hashing, round {number + 1}: p99 {idle[-1]:.1f} ms, then {beside[-1]:.1f} ms")
    return [
        Row("GET /v1/account, idle: p99", tuple(idle), "ms"),
        Row("  while passwords are hashed: p99", tuple(beside), "ms"),
        Row("  the second by the first", tuple(b / a for a, b in zip(idle, beside, strict=True)), "times", GOAL),
        Row("  sign-ins meanwhile", tuple(rates), "req/s", None, f"({_CLIENTS} clients)"),
    ]


async def _p99(client: aiohttp.ClientSession, address: str, member: Member, reads: int) -> float:
    """Read one after the other at an even pace; return the milliseconds that one in a hundred exceeds."""
    took = []
    for _ in range(reads):
        began = time.perf_counter()
        async with client.get(f"{address}/v1/account", headers={"Cookie": member.cookie}) as answer:
            await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a read was answered with {answer.status}")
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(_PACE)
    return quantile(sorted(took), 0.99)
