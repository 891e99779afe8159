"""Rate limits: exact sliding windows in Redis, counted before anything is looked at (design.md 9).

Windows that guard a secret or a mailbox stand in Postgres too, which has the last word: so their number is exact
while Redis is slow for one process only, and after it has lost everything. Redis, or this process while Redis is
away, comes first: what they refuse costs Postgres nothing (reliability.md B8).
"""

import asyncio
import base64
import hashlib
import hmac
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from service import failpoints, outages, redis_errors
from service.outages import Away, Outage

HOUR, DAY = 3600, 86_400
_SCRIPT = Path(__file__).with_suffix(".lua").read_text()
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
# No request waits longer than this for Redis; after a failure Redis is left alone for a moment.
_PATIENCE, _REST, _LOCAL_KEYS = 0.05, 1.0, 50_000
# Postgres keeps a window as one row with all its moments: wider ones stay in the process.
_WIDEST = 1000

Word = Literal["count", "look"]
Kept = Literal["postgres", "redis"]


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `limit` calls in any `window` seconds for each value of what it counts by.

    `kept` in Postgres, it outlives Redis; kept in Redis, each process counts alone while Redis is away.
    """

    name: str
    limit: int
    window: int
    kept: Kept = "postgres"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`remaining` after this call, `reset` in seconds until a place falls free; of the tightest rule, `rule`."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    window: int
    rule: str


# Names, limits and windows in seconds in; what the script answers out. What it raises is a fault of Postgres.
Store = Callable[[Sequence[str], Sequence[int], Sequence[int]], Awaitable[list[int]]]


class Limits:
    """The windows of all projects. Keys are HMACs: neither Redis nor Postgres holds an address or an e-mail."""

    def __init__(self, redis: Redis, key: bytes, store: Store, outage: Outage | None = None) -> None:
        """Those of one process that ask Redis share an `outage`, so that the log is told once."""
        self._redis, self._key, self._store = redis, key, store
        self._outage = outage or outages.of_redis("")
        self._rest_until = 0.0
        # Calls that were let through here while Redis was away; and until when a window is known to be full.
        self._local: OrderedDict[str, deque[float]] = OrderedDict()
        self._full: OrderedDict[str, float] = OrderedDict()
        self.fallbacks = 0

    async def count(self, project_id: str, counted: Sequence[tuple[Rule, str]]) -> Verdict:
        """Count this call under each rule for its value, and say whether it may go on. Raises what Postgres does."""
        names = [self.name(project_id, rule, value) for rule, value in counted]
        rules = [rule for rule, _ in counted]
        try:
            answer = self._add_own(names, rules, await self._ask_soon(names, rules))
        except Exception as error:  # noqa: BLE001 - whatever the way to Redis does, nobody is let through uncounted
            self._note(error)
            answer = self._count_here(names, rules)
        if all(answer[2 * number] < rule.limit for number, rule in enumerate(rules)):
            await self._confirm(names, rules, answer)
        return min(_verdicts(rules, answer), key=lambda verdict: (verdict.allowed, verdict.remaining, -verdict.reset))

    async def look(self, names: Sequence[str], rules: Sequence[Rule]) -> list[int]:
        """Two numbers a window, as limits.lua answers; nothing is counted. For operators, who wait: raises Away."""
        try:
            return await self._ask("look", names, rules)
        except RedisError as error:
            raise self._away(error) from None

    async def forget(self, names: Sequence[str]) -> int:
        """Empty windows; how many there were. For operators, who wait: raises Away."""
        try:
            gone: int = await self._redis.delete(*names)
        except RedisError as error:
            raise self._away(error) from None
        return gone

    def name(self, project_id: str, rule: Rule, value: str) -> str:
        """A window's key, of one size however long the value is."""
        mark = hmac.digest(self._key, f"{project_id}\0{rule.name}\0{value}".encode(), "sha256")[:15]
        return f"rl:{{{project_id}}}:{rule.name}:{base64.urlsafe_b64encode(mark).decode()}"

    async def _ask_soon(self, names: Sequence[str], rules: Sequence[Rule]) -> list[int]:
        if time.monotonic() < self._rest_until:
            raise TimeoutError
        async with asyncio.timeout(_PATIENCE):
            answer = await self._ask("count", names, rules)
        if self._outage.away:
            self._outage.works()
        return answer

    async def _ask(self, word: Word, names: Sequence[str], rules: Sequence[Rule]) -> list[int]:
        numbers = [number for rule in rules for number in (rule.limit, rule.window * 1_000_000)]
        arguments = (len(names), *names, word, *numbers)
        if failpoints.armed:
            await failpoints.reach("redis.limits.before")
        try:
            answer = await self._redis.execute_command("EVALSHA", _SHA, *arguments)  # type: ignore[no-untyped-call]  # the library ships no type here
        except NoScriptError:
            answer = await self._redis.execute_command("EVAL", _SCRIPT, *arguments)  # type: ignore[no-untyped-call]  # nor here
        if failpoints.armed:
            await failpoints.reach("redis.limits.after")
        return [int(number) for number in answer]

    def _away(self, error: RedisError) -> Away:
        return Away(f"redis at {self._outage.server} {redis_errors.fault(error)}")

    def _note(self, error: Exception) -> None:
        self.fallbacks += 1
        if time.monotonic() >= self._rest_until:
            self._rest_until = time.monotonic() + _REST
            self._outage.fails(redis_errors.fault(error))

    async def _confirm(self, names: list[str], rules: list[Rule], answer: list[int]) -> None:
        """Postgres's count of a call that may go on so far: where it knows of more calls, its numbers stand."""
        kept = [place for place, rule in enumerate(rules) if rule.kept == "postgres" and rule.limit <= _WIDEST]
        if not kept:
            return
        chosen = [rules[place] for place in kept]
        spans = [rule.window for rule in chosen]
        found = await self._store([names[place] for place in kept], [rule.limit for rule in chosen], spans)
        for number, place in enumerate(kept):
            if found[2 * number] >= answer[2 * place]:
                answer[2 * place : 2 * place + 2] = found[2 * number : 2 * number + 2]

    def _count_here(self, names: list[str], rules: list[Rule]) -> list[int]:
        """While Redis is away: the same windows, for this process alone, bounded in number."""
        now, answer = time.monotonic(), []
        for name, rule in zip(names, rules, strict=True):
            calls = self._own(name, rule, now)
            count, until = len(calls), (calls[0] if calls else now) + rule.window
            if self._full.get(name, now) > now:
                count, until = rule.limit, self._full[name]
            answer += [count, int((until - now) * 1_000_000)]
        if all(answer[2 * number] < rule.limit for number, rule in enumerate(rules)):
            for name in names:
                self._local.setdefault(name, deque()).append(now)
                self._local.move_to_end(name)
        while len(self._local) > _LOCAL_KEYS:
            self._local.popitem(last=False)
        return answer

    def _add_own(self, names: list[str], rules: list[Rule], answer: list[int]) -> list[int]:
        """What Redis says, and the calls that it never heard of. Which windows are full is kept for when it is away."""
        now = time.monotonic()
        for number, (name, rule) in enumerate(zip(names, rules, strict=True)):
            answer[2 * number] += len(self._own(name, rule, now))
        allowed = all(answer[2 * number] < rule.limit for number, rule in enumerate(rules))
        for number, (name, rule) in enumerate(zip(names, rules, strict=True)):
            if answer[2 * number] + allowed >= rule.limit:
                self._full[name] = now + answer[2 * number + 1] / 1_000_000
        while len(self._full) > _LOCAL_KEYS:
            self._full.popitem(last=False)
        return answer

    def _own(self, name: str, rule: Rule, now: float) -> deque[float]:
        """The calls of a window that were let through here and have not left it."""
        calls = self._local.get(name, deque())
        while calls and calls[0] <= now - rule.window:
            calls.popleft()
        return calls


def _verdicts(rules: list[Rule], answer: list[int]) -> list[Verdict]:
    """One a rule, of the script's pairs of numbers."""
    found = []
    for number, rule in enumerate(rules):
        before, wait = answer[2 * number], answer[2 * number + 1]
        left = max(0, rule.limit - before - 1)
        reset = math.ceil(wait / 1_000_000)
        found.append(Verdict(before < rule.limit, rule.limit, left, reset, rule.window, rule.name))
    return found
