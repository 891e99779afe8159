"""Time of a mail when all is idle: from the 201 at the client to the final dot at the sink."""

import asyncio
import random
import time

import aiohttp

from bench.ground import AGENT, PROJECT, Member
from bench.programs import Program
from bench.table import Row

GOAL = 100.0
_LONGEST_PAUSE = 0.1


async def measure(members: list[Member], *, port: int, sink: Program) -> list[Row]:
    """One verification for each member, one after the other, at no particular moment of anybody's clock."""
    address = f"http://127.0.0.1:{port}/v1/account/verification"
    accepted: dict[str, float] = {}
    async with aiohttp.ClientSession() as client:
        for number, member in enumerate(members, 1):
            headers = {"X-Appwrite-Project": PROJECT, "Cookie": member.cookie, "User-Agent": AGENT}
            async with client.post(address, json={"url": "http://localhost/open"}, headers=headers) as answer:
                text = await answer.text()
                accepted[member.email] = time.monotonic()
            if answer.status != 201:
                raise RuntimeError(f"a verification was answered with {answer.status}: {text}")
            await sink.ask(order="wait", count=number)
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE))
    # One clock for all processes of a machine: monotonic time counts from its start.
    arrived = (await sink.ask(order="take"))["arrived"]
    waits = sorted((arrived[email] - at) * 1000 for email, at in accepted.items())
    note = f"(n = {len(waits)}, most {waits[-1]:.1f})"
    return [
        Row("201 to the final dot, idle: p50", (_share(waits, 0.5),), "ms"),
        Row("201 to the final dot, idle: p99", (_share(waits, 0.99),), "ms", GOAL, note),
    ]


def _share(ordered: list[float], share: float) -> float:
    """Return the least wait that this share of all did not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def hash_passwords(*, port: int, count: int) -> None:
    """So many sign-ups at once: what a process needs at most includes the hashes it makes side by side."""

    async def sign_up(client: aiohttp.ClientSession, number: int) -> None:
        body = {"email": f"hashed-{number}@example.com", "password": "correct horse battery"}
        headers = {"X-Appwrite-Project": PROJECT}
        async with client.post(f"http://127.0.0.1:{port}/v1/account", json=body, headers=headers) as answer:
            if answer.status != 201:
                raise RuntimeError(f"a sign-up was answered with {answer.status}")

    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(sign_up(client, number) for number in range(count)))
