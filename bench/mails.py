"""One worker's mails a second beside the bare loop's, and signed beside unsigned, into the same sink."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.ground import AGENT, PROJECT, Ground, Member
from bench.programs import Program
from bench.rounds import Tally, Who, interleave
from bench.rounds import rows as compared
from bench.table import Row
from service import ids
from service.crypto import dkim_keys as key_pairs
from service.crypto import key_derivation
from service.crypto.dkim_keys import Algorithm
from service.queue import QUEUE, SEND_MAIL, JobQueue, connect
from service.store import dkim_keys, outbox, outbox_claims, outbox_leases, tokens
from service.store.tokens import Kind
from service.store.unit_of_work import unit_of_work

GOAL, GOAL_SIGNED = 3.0, 0.85
_SIGNATURES = 500
_HOLDER, _HOLD = "bench", 3_600.0
_FACTS = {"url": "http://localhost/open", "modern": False, "ip": "127.0.0.1", "user_agent": AGENT}
_LIFE = {Kind.RECOVERY: 3_600, Kind.VERIFICATION: 604_800}


@dataclass(frozen=True, slots=True)
class Post:
    """Programs that a mail passes."""

    worker: Program
    bare: Program
    sink: Program
    port: int


async def measure(
    ground: Ground, members: list[Member], *, kind: Kind, post: Post, rounds: int, slots: int, goal: float | None,
    report: Callable[[str], None],
) -> list[Row]:  # fmt: skip
    """Send each member a mail in each turn, by the worker and by the bare loop."""
    sizes: dict[Who, int] = {}

    async def take(who: Who) -> Tally:
        program = post.worker if who == "ours" else post.bare
        if who == "ours":
            await lay_out(ground, members, kind)
        used = program.cpu()
        seconds = await (send(ground, post.sink, len(members)) if who == "ours" else _loop(ground, members, kind, post))
        cpu = program.cpu() - used
        sizes[who] = await taken(post.sink, members) // len(members)
        return Tally(len(members), seconds, cpu)

    tallies = await interleave(take, rounds=rounds, slots=slots, name=f"{kind} mails", report=report)
    note = f"({sizes['ours']} and {sizes['bare']} bytes a mail)"
    return compared(f"{kind} mails", tallies, unit="mail/s", goal=goal, note=note)


async def measure_signed(
    ground: Ground, members: list[Member], *, algorithm: Algorithm, post: Post, rounds: int, slots: int,
    report: Callable[[str], None],
) -> list[Row]:  # fmt: skip
    """Send each member a signed mail and an unsigned one, by the same worker."""
    await dkim_keys.create(
        ground.pool,
        ground.settings.key_ring,
        PROJECT,
        selector=algorithm,
        domain="accounts.example",
        algorithm=algorithm,
    )

    async def take(who: Who) -> Tally:
        state = "active" if who == "ours" else "former"
        await ground.pool.execute("update dkim_keys set state = $1, activated_at = now()", state)
        await lay_out(ground, members, Kind.VERIFICATION)
        used = post.worker.cpu()
        seconds = await send(ground, post.sink, len(members))
        cpu = post.worker.cpu() - used
        await taken(post.sink, members)
        return Tally(len(members), seconds, cpu)

    name = f"mails signed with {algorithm}"
    tallies = await interleave(take, rounds=rounds, slots=slots, name=name, report=report)
    await dkim_keys.retire(ground.pool, PROJECT, algorithm)
    note = "(bare: the same without a key)"
    found = compared(name, tallies, unit="mail/s", goal=GOAL_SIGNED, of_cost=GOAL_SIGNED, note=note)
    return [*found, Row("  the signature alone", tuple(_signature(algorithm) for _ in range(rounds)), "us")]


def _signature(algorithm: Algorithm) -> float:
    """Return the microseconds of processor that a library's signature takes."""
    sign, data = key_pairs.signer(key_pairs.generate(algorithm)), bytes(800)
    began = time.thread_time()
    for _ in range(_SIGNATURES):
        sign(data)
    return (time.thread_time() - began) / _SIGNATURES * 1e6


async def lay_out(ground: Ground, members: list[Member], kind: Kind) -> None:
    """Insert rows as the API does, but held back by a lease; their wake-up comes when they are let go.

    The tables are vacuumed, as autovacuum does with tables that change: a throw-away server has it off, and claims
    would read through the rows of all turns before.
    """
    slots = asyncio.Semaphore(4)

    async def post(member: Member) -> None:
        known = kind is not Kind.RECOVERY
        async with slots, unit_of_work(ground.pool, None) as tx:
            token = await tokens.issue(
                tx, PROJECT, kind=kind, email=member.email, email_version=1 if known else None,
                user_id=member.user_id if known else None, kid=key_derivation.current(ground.settings.key_ring),
                seconds=_LIFE[kind],
            )  # fmt: skip
            mail = await outbox.enqueue(
                tx, PROJECT, letter=kind, recipient=member.email, user_id=member.user_id if known else None,
                locale="en", facts=_FACTS, deadline_at=token.expires_at, sender=ground.settings.mail_from,
                token_id=token.id,
            )  # fmt: skip
            await outbox_claims.claim_all(tx, [outbox.DueMail(mail, PROJECT)], worker=_HOLDER, lease=_HOLD)

    await asyncio.gather(*(post(member) for member in members))
    await ground.pool.execute("vacuum analyze mails, tokens, mail_events")


async def send(ground: Ground, sink: Program, count: int) -> float:
    """Let the workers start; return the seconds until the last mail is `sent` in its row."""
    redis = connect(ground.settings.redis_url.get_secret_value())
    job_queue = JobQueue(redis)
    began = time.perf_counter()
    await outbox_leases.release_all(ground.pool, worker=_HOLDER, kept=[])
    job_queue.enqueue(SEND_MAIL, ids.new_uuid())
    await job_queue.drain()
    await sink.ask(order="wait", count=count)
    while (left := await outbox.backlog(ground.pool)).pending + left.sending:  # noqa: ASYNC110 - another process does it
        await asyncio.sleep(0.002)
    seconds = time.perf_counter() - began
    # Wake-ups that found nothing must not run into the next round.
    while await redis.exists(QUEUE):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    await redis.aclose(close_connection_pool=True)
    return seconds


async def _loop(ground: Ground, members: list[Member], kind: Kind, post: Post) -> float:
    recipients = [member.email for member in members]
    answer = await post.bare.ask(
        letter=kind, recipients=recipients, port=post.port, connections=ground.settings.smtp_connections
    )
    return float(answer["seconds"])


async def taken(sink: Program, members: list[Member]) -> int:
    """Return all bytes received; fails unless each member got exactly one correct mail."""
    answer = await sink.ask(order="take")
    if answer["violations"] or answer["count"] != len(members) or len(answer["arrived"]) != len(members):
        raise RuntimeError(f"{answer['count']} mails for {len(members)} members: {answer['violations'][:3]}")
    return int(answer["bytes"])
