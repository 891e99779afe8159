"""The acts that are compared, and each side's requests for them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import aiohttp

from bench.ground import PROJECT, Ground, Member, api
from bench.peers import requests
from bench.peers.catalogue import Answer, Peer
from bench.peers.requests import PASSWORD
from bench.programs import Program
from bench.rounds import Tally

READ, RESET, SIGN_IN = ACTS = ("read", "reset request", "sign-in without hash")
CONNECTIONS = 24
# Requests laid out for a turn; a side that answers more begins anew.
_MOST = 4_000


@dataclass(slots=True)
class Side:
    """A running program; `make` writes the request of a member by its number, from an address that is new each time."""

    programs: Sequence[Program]
    port: int
    make: Mapping[str, Callable[[int], str]]
    # The number of the member that a turn goes on with, by act.
    next: dict[str, int] = field(default_factory=dict)

    def requests(self, act: str, count: int) -> list[str]:
        """Write the requests of the next members."""
        first = self.next.get(act, 0)
        return [self.make[act](first + number) for number in range(count)]

    def cpu(self) -> float:
        return sum(program.cpu() for program in self.programs)

    async def take(self, act: str, *, load: Program, seconds: float) -> Tally:
        """Ask for so many seconds."""
        ready, used = self.requests(act, _MOST), self.cpu()
        answer = await load.ask(port=self.port, requests=ready, connections=CONNECTIONS, seconds=seconds)
        self.next[act] = self.next.get(act, 0) + answer["count"]
        return Tally(answer["count"], answer["seconds"], self.cpu() - used)


def our_api(place: Ground) -> AbstractAsyncContextManager[tuple[Program, int]]:
    """Start our service behind a proxy, with passwords that cost next to nothing to hash."""
    return api(place, module="bench.unhashed", settings={"TRUSTED_HOPS": "1"})


def ours(members: Sequence[Member], *, readers: int) -> dict[str, Callable[[int], str]]:
    """Write our requests; only the first members read."""
    project = {"X-Appwrite-Project": PROJECT}

    def member(number: int) -> Member:
        return members[number % len(members)]

    return {
        READ: lambda number: requests.get("/v1/account", project | {"Cookie": member(number % readers).cookie}),
        RESET: lambda number: requests.post(
            "/v1/account/recovery", {"email": member(number).email, "url": "http://localhost/reset"}, project
        ),
        SIGN_IN: lambda number: requests.post(
            "/v1/account/sessions/email", {"email": member(number).email, "password": PASSWORD}, project
        ),
    }


async def theirs(peer: Peer, *, port: int, members: int, readers: int) -> dict[str, Callable[[int], str]]:
    """Write the requests of a peer, where the first members sign in for the reads."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=aiohttp.DummyCookieJar()) as client:
        proofs = [peer.proof(await _answer(client, peer.login(_email(number)))) for number in range(readers)]
    return {
        READ: lambda number: peer.read(proofs[number % readers]),
        SIGN_IN: lambda number: peer.login(_email(number % members)),
        **resets(peer, members=members),
    }


def resets(peer: Peer, *, members: int) -> dict[str, Callable[[int], str]]:
    return {RESET: lambda number: peer.reset(_email(number % members))}


def _email(number: int) -> str:
    return f"member-{number}@example.com"


async def _answer(client: aiohttp.ClientSession, request: str) -> Answer:
    """Send a request that stands ready as text."""
    head, _, body = request.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    async with client.request(method, path, headers=headers, data=body.encode()) as answer:
        text = await answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{path} was answered with {answer.status}: {text[:400]!r}")
        return Answer(dict(answer.headers), text)
