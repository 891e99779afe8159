"""G8: one secret, ten requests at once, over two API processes: exactly one of them may have been let in.

The routes that redeem a mailed secret run one after the other, each race with an account of its own. Passwords are
hashed at full cost, so a race for a recovery takes longest: 10,000 races take about a quarter of an hour.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from bench.resilience.ground import PROJECT, ground
from bench.resilience.result import Row
from service import ids
from service.crypto.password_hashing import PasswordHashPool
from service.db import Pool
from service.settings import Settings
from service.store import token_secrets, tokens, user_emails, users
from service.store.tokens import Kind, Token
from service.store.users import User
from testkit import processes

COUNT = 10_000
_RECOVERIES = (Kind.RECOVERY, Kind.RECOVERY_OTP)
_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Way:
    """Route that redeems a secret; `moved` for the proof of an address that came in another's place."""

    name: str
    kind: Kind
    method: str
    path: str
    event: str
    moved: bool = False

    @property
    def status(self) -> int:
        """Status of the one that succeeds."""
        return 201 if self.event == "account.sessions.create" else 200


WAYS = (
    Way("PUT recovery", Kind.RECOVERY, "PUT", "/v1/account/recovery", "account.recovery.update"),
    Way("PUT verification", Kind.VERIFICATION, "PUT", "/v1/account/verification", "account.verification.update"),
    Way(
        "PUT verification of a changed address", Kind.VERIFICATION, "PUT", "/v1/account/verifications/email",
        "account.verification.update", moved=True,
    ),
    Way("PUT magic URL", Kind.MAGIC_URL, "PUT", "/v1/account/sessions/magic-url", "account.sessions.create"),
    Way("POST token session, a code", Kind.OTP, "POST", "/v1/account/sessions/token", "account.sessions.create"),
    Way(
        "PUT verification by code", Kind.VERIFICATION_OTP, "PUT", "/v1/account/verifications/email/otp",
        "account.verification.update",
    ),
    Way("PUT recovery by code", Kind.RECOVERY_OTP, "PUT", "/v1/account/recovery/otp", "account.recovery.update"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Track:
    """Ground of the races: the API at several addresses, and the database behind it."""

    client: aiohttp.ClientSession
    addresses: Sequence[str]
    pool: Pool
    settings: Settings
    passwords: PasswordHashPool


async def measure(count: int, seed: int) -> list[Row]:
    del seed  # nothing is left to chance but who wins
    async with (
        ground() as laid,
        processes.api(laid.environment) as (_, first),
        processes.api(laid.environment) as (_, second),
    ):
        faults = await races((first, second), laid.pool, laid.settings, count)
    return [
        Row(
            f"{way.name}: {_AT_ONCE} at once, {len(range(number, count, len(WAYS)))} races",
            f"{faults[way.name]} with other than one winner, one event and one outcome",
            "0",
            faults[way.name] == 0,
        )
        for number, way in enumerate(WAYS)
    ]


async def races(
    addresses: Sequence[str], pool: Pool, settings: Settings, count: int, *, beside: int = 4
) -> Counter[str]:
    """Run races of each route side by side; return the number of wrong outcomes."""
    faults: Counter[str] = Counter()
    waiting = iter(range(count))
    passwords = PasswordHashPool(threads=1)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        track = Track(client, addresses, pool, settings, passwords)

        async def run() -> None:
            for number in waiting:
                way = WAYS[number % len(WAYS)]
                fair = await _race(track, way)
                faults[way.name] += not fair

        with contextlib.closing(passwords):
            await asyncio.gather(*(run() for _ in range(beside)))
    return faults


async def _race(track: Track, way: Way) -> bool:
    """Return whether exactly one of ten succeeded, the others got the token error, and it happened once.

    On a machine that is too busy to hash ten passwords in time a loser may be told to come again.
    """
    user = await _user(track.pool, moved=way.moved)
    token = await _token(track, way.kind, user)
    secret = token_secrets.secret_of(track.settings.key_ring, token)
    statuses = await asyncio.gather(*(_use(track, way, user, secret, number) for number in range(_AT_ONCE)))
    winners = [number for number, status in enumerate(statuses) if status == way.status]
    if len(winners) != 1 or statuses.count(401) + statuses.count(503) != _AT_ONCE - 1:
        return False
    return await _happened_once(track, way, user, winner=winners[0])


async def _user(pool: Pool, *, moved: bool) -> User:
    user_id = ids.new()
    email = f"{user_id}@example.com"
    user = await users.create(pool, PROJECT, user_id=user_id, email=email, name="", password_hash=None)
    return await user_emails.change(pool, user, email=f"new.{email}") if moved else user


async def _token(track: Track, kind: Kind, user: User) -> Token:
    by_address = kind in tokens.BY_ADDRESS
    return await tokens.issue(
        track.pool,
        PROJECT,
        kind=kind,
        email=user.email or "",
        kid=next(iter(track.settings.key_ring)),
        seconds=600,
        user_id=None if by_address else user.id,
        requested_user_id=user.id if by_address or kind in tokens.CODES else None,
        email_version=None if by_address else user.email_version,
    )


async def _use(track: Track, way: Way, user: User, secret: str, number: int) -> int:
    body = {"userId": user.id, "secret": secret}
    if way.kind in _RECOVERIES:
        body |= {"password": _password(number), "passwordAgain": _password(number)}
    address = track.addresses[number % len(track.addresses)]
    headers = {"X-Appwrite-Project": PROJECT}
    async with track.client.request(way.method, address + way.path, json=body, headers=headers) as answer:
        await answer.read()
        return answer.status


def _password(number: int) -> str:
    return f"the horse of rider {number}"


async def _happened_once(track: Track, way: Way, user: User, *, winner: int) -> bool:
    """One event, no secret left, the address proved, and the winner's outcome: the password or the session."""
    events = await track.pool.fetchrow(
        "select count(*) filter (where name = $2) from events where user_id = $1", user.id, way.event
    )
    left = await track.pool.fetchrow(
        "select count(*) from tokens where (user_id = $1 or email = $2) and kind = $3", user.id, user.email, way.kind
    )
    sessions = await track.pool.fetchrow("select count(*) from sessions where user_id = $1", user.id)
    now = await users.find(track.pool, PROJECT, user_id=user.id)
    signs_in = way.kind in tokens.BY_ADDRESS
    if now is None or not now.email_verified or (events[0], left[0], sessions[0]) != (1, 0, int(signs_in)):
        return False
    if way.kind not in _RECOVERIES:
        return now.password_hash is None
    return await track.passwords.verify(now.password_hash, _password(winner))
