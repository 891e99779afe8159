"""GET /v1/account by cookie and by JWT: our process and the bare one alternately, under the same load."""

from collections.abc import Callable

from bench.ground import AGENT, PROJECT, Ground, Member
from bench.programs import Program, run
from bench.rounds import Tally, Who, interleave
from bench.rounds import rows as compared
from bench.table import Row

GOALS = {"cookie": 0.9, "jwt": 0.9}
_CONNECTIONS, _TURNS = 24, 5


async def measure(
    ground: Ground, members: list[Member], *, api: tuple[Program, int], rounds: int, seconds: float,
    report: Callable[[str], None],
) -> list[Row]:  # fmt: skip
    """Measure both sides; `seconds` are those of each side in each round."""
    found: list[Row] = []
    async with (
        run("bench.load", state=ground.state) as load,
        run("bench.bare", state=ground.state, measured=True) as bare,
    ):
        targets: dict[Who, tuple[Program, int]] = {"ours": api, "bare": (bare, await _start(bare, ground, members))}
        for way, goal in GOALS.items():

            async def take(who: Who, way: str = way) -> Tally:
                program, port = targets[who]
                path = "/v1/account" if who == "ours" else f"/{way}"
                requests = [read_request(path, way, member) for member in members]
                used = program.cpu()
                answer = await load.ask(
                    port=port, requests=requests, connections=_CONNECTIONS, seconds=seconds / _TURNS
                )
                return Tally(answer["count"], answer["seconds"], program.cpu() - used)

            name = f"GET /v1/account by {way}"
            tallies = await interleave(take, rounds=rounds, slots=_TURNS, name=name, report=report)
            found += compared(name, tallies, unit="req/s", goal=goal)
    return found


async def _start(bare: Program, ground: Ground, members: list[Member]) -> int:
    answer = await bare.ask(
        database=ground.environment["DATABASE_URL"],
        size=ground.settings.database_connections,
        by_secret=[[PROJECT, member.user_id, member.secret_hash.hex()] for member in members],
        by_session=[[PROJECT, member.user_id, member.session_id] for member in members],
    )
    return int(answer["port"])


def read_request(path: str, way: str, member: Member) -> str:
    """Build the request, the same for both sides; the bare one just doesn't read it."""
    proof = f"Cookie: {member.cookie}" if way == "cookie" else f"X-Appwrite-JWT: {member.jwt}"
    lines = ("Host: localhost", f"User-Agent: {AGENT}", "Accept: */*", f"X-Appwrite-Project: {PROJECT}", proof)
    return f"GET {path} HTTP/1.1\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"
