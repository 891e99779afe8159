"""Half of what an API can take, from a process of its own: nine reads of an account to one sign-in.

First as much as sixteen callers get, ten seconds long: that is the whole. Then half as many calls a second, each at a
moment that is drawn by chance and waiting for no other, until it is ended.

    python -m bench.resilience.half_load http://127.0.0.1:8080 seed

is the load alone; the people are lines of the standard input.
"""

import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from bench.resilience.result import Row
from devstack.servers import tied
from testkit.api import Api, cookie_of
from testkit.processes import ROOT

PASSWORD = "the right horse"
_CALLERS, _SECONDS, _SIGN_INS = 16, 10.0, 0.1


@dataclass
class Load:
    """Load from a process of its own; `row` describes it once it is over."""

    row: Row | None = None


@asynccontextmanager
async def half_load(address: str, emails: Sequence[str], seed: int) -> AsyncIterator[Load]:
    """Run the load beside the block, which must not use its users."""
    words = ("-m", "bench.resilience.half_load", address, str(seed))
    running = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL), sys.executable, *words,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert running.stdin
    assert running.stdout
    running.stdin.write("\n".join(emails).encode())
    running.stdin.close()
    load = Load()
    try:
        whole = float(await running.stdout.readline())
        yield load
    finally:
        running.send_signal(signal.SIGINT)
        output, _ = await running.communicate()
    load.row = _row(whole, json.loads(output))


def _row(whole: float, result: dict[str, float]) -> Row:
    rate = result["good"] / result["seconds"]
    failed = f"{result['bad']:.0f} of {result['asked']:.0f} failed"
    value = f"{rate:.0f} of {whole:.0f} calls a second ({rate / whole:.0%}), {failed}"
    return Row("the load: reads of an account, and a sign-in for each nine", value)


class SignedInUsers:
    """People who are signed in, and what became of their calls."""

    def __init__(self, api: Api, seed: int) -> None:
        self._api, self._chance = api, random.Random(seed)
        self._members: list[tuple[str, dict[str, str]]] = []
        self.statuses: Counter[int] = Counter()

    async def come(self, emails: Sequence[str]) -> None:
        for email in emails:
            self._members.append((email, await self._api.sign_in(email, PASSWORD)))

    async def _call(self) -> None:
        place = self._chance.randrange(len(self._members))
        email, member = self._members[place]
        if self._chance.random() < _SIGN_INS:
            body = {"email": email, "password": PASSWORD}
            answer = await self._api.call("POST", "/v1/account/sessions", json=body)
            if answer.status == 201:  # as a browser does; a user's oldest sessions end
                self._members[place] = (email, {"Cookie": cookie_of(answer)})
        else:
            answer = await self._api.call("GET", "/v1/account", headers=member)
        self.statuses[answer.status] += 1

    async def all_they_can(self) -> float:
        """Return calls a second."""

        async def caller() -> None:
            while time.monotonic() < until:
                await self._call()

        began = time.monotonic()
        until = began + _SECONDS
        await asyncio.gather(*(caller() for _ in range(_CALLERS)))
        return self.statuses.total() / (time.monotonic() - began)

    async def keep_on(self, rate: float, stop: asyncio.Event) -> None:
        under_way: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not stop.is_set():
            due += self._chance.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            under_way.add(task := asyncio.create_task(self._call()))
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)


async def load(address: str, seed: int, emails: Sequence[str]) -> None:
    """Print calls a second at most; after SIGINT the requests made and the answers received."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    unbounded, jar = aiohttp.TCPConnector(limit=0), aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(address, connector=unbounded, cookie_jar=jar) as client:
        users = SignedInUsers(Api(client), seed)
        await users.come(emails)
        whole = await users.all_they_can()
        print(whole, flush=True)
        users.statuses.clear()
        began = time.monotonic()
        await users.keep_on(whole / 2, stop)
        seconds = time.monotonic() - began
    good = users.statuses[200] + users.statuses[201]
    requests = users.statuses.total()
    print(json.dumps({"seconds": seconds, "good": good, "bad": requests - good, "asked": requests}))


if __name__ == "__main__":
    asyncio.run(load(sys.argv[1], int(sys.argv[2]), sys.stdin.read().split()))
