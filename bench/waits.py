"""Time of a mail from the 201 at the client to the final dot at the sink, when all is idle."""

import asyncio
import random
import time

import aiohttp

from bench.ground import AGENT, PROJECT, Member
from bench.programs import Program
from bench.table import Row

GOAL = 25.0
_LONGEST_PAUSE = 0.1


async def measure(members: list[Member], *, port: int, sink: Program) -> list[Row]:
    """One verification for each member, one after the other, at no particular moment of anybody's clock."""
    accepted: dict[str, float] = {}
    async with aiohttp.ClientSession() as client:
        for number, member in enumerate(members, 1):
            accepted[member.email] = await ask(client, member, port)
            await sink.ask(order="wait", count=number)
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE))
    waits = in_milliseconds(accepted, (await sink.ask(order="take"))["arrived"])
    note = f"(n = {len(waits)}, most {waits[-1]:.1f})"
    return [
        Row("201 to the final dot, idle: p50", (quantile(waits, 0.5),), "ms"),
        Row("201 to the final dot, idle: p99", (quantile(waits, 0.99),), "ms", GOAL, note),
    ]


async def ask(client: aiohttp.ClientSession, member: Member, port: int) -> float:
    """Request a verification; return when it was accepted. Raises RuntimeError for another answer."""
    headers = {"X-Appwrite-Project": PROJECT, "Cookie": member.cookie, "User-Agent": AGENT}
    address = f"http://127.0.0.1:{port}/v1/account/verification"
    async with client.post(address, json={"url": "http://localhost/open"}, headers=headers) as answer:
        text = await answer.text()
        at = time.monotonic()
    if answer.status != 201:
        raise RuntimeError(f"a verification was answered with {answer.status}: {text}")
    return at


def in_milliseconds(accepted: dict[str, float], arrived: dict[str, float]) -> list[float]:
    """Return the milliseconds from acceptance to arrival, in order; one clock serves all processes of a machine."""
    return sorted((arrived[email] - at) * 1000 for email, at in accepted.items())


def quantile(ordered: list[float], share: float) -> float:
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
