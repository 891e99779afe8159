"""G10: does an answer or its time tell which addresses have an account, or are suppressed? Each route, of each kind.

AUC is the chance that an answer about somebody took longer than one about nobody: 0.5 is blind, 1 and 0 are certain.
Postgres is told to analyze before each question, as its daemon does within a minute of the first rows: until then it
looks for a token by whichever index it likes, which takes longer the more tokens stand before it.
Over HTTP against an API process, hashes at their real price, windows that count everything and are never full: first
with nothing else to do, then beside half of the load that it bears (bench/resilience/half_load.py). Nobody is asked for
once where several kinds of somebody are. All of it takes about half an hour, most of it signing in. Only a quiet
machine says something about the service rather than about itself.
"""

import itertools
import math
import random
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from bench.resilience.ground import PROJECT, ground
from bench.resilience.half_load import PASSWORD, half_load
from bench.resilience.result import Row
from service import ids
from service.accounts import mail_quotas, sms_quotas
from service.app import routes
from service.crypto.key_derivation import KeyRing
from service.crypto.password_hashing import PasswordHashPool
from service.db import Pool
from service.rate_limiter import HOUR
from service.store import projects, suppressions, user_emails, user_phones, users
from testkit import processes

COUNT = 5_000
GOAL = 0.02
_PEOPLE, _WARM, _REVEALED = 50, 20, 10
_COUNTRY = "+49"
_URL = {"url": "http://localhost/there"}
_PASSWORDS = {"password": "a new horse", "passwordAgain": "a new horse"}
_MEMBER, _BLOCKED, _PASSWORDLESS, _NOBODY, _PROBE = "", "blocked", "passwordless", "nobody", "probe"
_SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Somebody:
    user_id: str
    email: str
    phone: str


People = Mapping[str, Sequence[Somebody]]


@dataclass(slots=True)
class Answers:
    """Seconds of the answers about one class, and their statuses."""

    seconds: list[float] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Question:
    """Request about each kind of user, and about an address and number without one.

    `revealed`: the status says it anyway, so its time has nothing to hide, and a tenth as often is enough to see it.
    """

    name: str
    method: str
    path: str
    body: Callable[[Somebody], dict[str, Any]]
    kinds: tuple[str, ...] = (_MEMBER,)
    revealed: bool = False
    private: bool = False


def _guess(about: Somebody) -> dict[str, Any]:
    return {"userId": about.user_id, "secret": ids.new() + "f" * 236}


def _digits(about: Somebody) -> dict[str, Any]:
    return {"userId": about.user_id, "secret": "123456"}


def _sign_in(about: Somebody) -> dict[str, Any]:
    return {"email": about.email, "password": "the wrong horse"}


def _sign_up(about: Somebody) -> dict[str, Any]:
    return {"email": about.email, "password": "a new horse"}


_EVERY_KIND = (_MEMBER, _BLOCKED, _PASSWORDLESS)
# Of routes that mail to an address.
_MAILED = (_MEMBER, _SUPPRESSED)
QUESTIONS = (
    Question("login", "POST", "/v1/account/sessions", _sign_in, kinds=_EVERY_KIND),
    Question("recovery", "POST", "/v1/account/recovery", lambda about: {"email": about.email} | _URL, kinds=_MAILED),
    Question(
        "magic URL", "POST", "/v1/account/sessions/magic-url", lambda about: {"email": about.email} | _URL,
        kinds=_MAILED,
    ),
    Question(
        "code", "POST", "/v1/account/tokens/email", lambda about: {"email": about.email, "userId": "unique()"},
        kinds=_MAILED,
    ),
    Question(
        "phone code", "POST", "/v1/account/tokens/phone",
        lambda about: {"phone": about.phone, "userId": "unique()"}, kinds=_EVERY_KIND,
    ),
    Question("recovery code", "POST", "/v1/account/recovery/otp", lambda about: {"email": about.email}, kinds=_MAILED),
    Question(
        "PUT recovery code", "PUT", "/v1/account/recovery/otp", lambda about: _digits(about) | _PASSWORDS,
        kinds=_EVERY_KIND,
    ),
    Question(
        "PUT verification code", "PUT", "/v1/account/verifications/email/otp", _digits,
        kinds=_EVERY_KIND,
    ),
    Question("sign-in by digits", "POST", "/v1/account/sessions/token", _digits, kinds=_EVERY_KIND),
    Question("sign-in by phone", "PUT", "/v1/account/sessions/phone", _digits, kinds=_EVERY_KIND),
    Question("PUT recovery", "PUT", "/v1/account/recovery", lambda about: _guess(about) | _PASSWORDS),
    Question("PUT verification", "PUT", "/v1/account/verification", _guess),
    Question("PUT magic URL", "PUT", "/v1/account/sessions/magic-url", _guess),
    Question("private sign-up", "POST", "/v1/account", _sign_up, kinds=_MAILED, private=True),
    Question("sign-up, 409 or 201", "POST", "/v1/account", _sign_up, revealed=True),
)  # fmt: skip


async def measure(count: int, seed: int) -> list[Row]:
    async with ground() as laid, processes.api(laid.environment) as (_, address):
        ring = laid.settings.key_ring
        idle = [row async for row in ask(address, laid.pool, ring, count, seed, QUESTIONS)]
        others = [one.email for one in (await _crowd(laid.pool, ring))[_MEMBER]]
        async with half_load(address, others, seed) as load:
            busy = [row async for row in ask(address, laid.pool, ring, count, seed, QUESTIONS)]
    assert load.row
    return [*_marked("idle", idle), load.row, *_marked("at half load", busy)]


def _marked(part: str, rows: Sequence[Row]) -> list[Row]:
    return [replace(row, what=f"{part}: {row.what}") for row in rows]


async def ask(  # noqa: PLR0917 - all of them are what is measured
    address: str, pool: Pool, ring: KeyRing, count: int, seed: int, questions: Sequence[Question]
) -> AsyncIterator[Row]:
    """Measure a row for each question and kind of user; `count` requests of each class, all users are new."""
    chance, people = random.Random(seed), await _crowd(pool, ring)
    await projects.change(pool, PROJECT, limits=_never_full(), sms_countries=[_COUNTRY])
    headers = {"X-Appwrite-Project": PROJECT}
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(
        address, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), connector=connector
    ) as client:
        for private in (True, False):  # the API has seen a change when it has seen both: then it knows the limits too
            await _rule(client, people, pool, private=private)
        for question in questions:
            await _rule(client, people, pool, private=question.private)
            nobodies = _strangers() if question.revealed else itertools.cycle(people[_NOBODY])
            await _times(client, question, people, nobodies, _WARM, chance)
            await pool.execute("analyze")
            await _times(client, question, people, nobodies, _WARM, chance)
            often = max(count // _REVEALED, _WARM) if question.revealed else count
            answers = await _times(client, question, people, nobodies, often, chance)
            for kind in question.kinds:
                yield _row(question, kind, answers[kind], answers[_NOBODY])


def _never_full() -> dict[str, list[int]]:
    """Set limits that count each window as ever, in Postgres too, and refuse nothing."""
    declared = [(limit.rule, limit.by in {"ip", "network", "project"}) for route in routes() for limit in route.limits]
    declared += [(rule, rule is mail_quotas.BY_ADDRESS) for rule in mail_quotas.RULES]
    declared += [(rule, rule not in sms_quotas.BY_NUMBER) for rule in sms_quotas.RULES]
    return {rule.name: [10**6, 1] if crowded else [1000, HOUR] for rule, crowded in declared}


async def _crowd(pool: Pool, ring: KeyRing) -> People:
    """Make accounts with a password, a verified address and a number, and none.

    There are blocked ones, ones without password, and ones whose address is suppressed.

    Nobody is as many as the others and asked for as often, so that what is counted about each grows alike.
    """
    passwords = PasswordHashPool(threads=1)
    line = await passwords.hash(PASSWORD)
    passwords.close()
    people: dict[str, list[Somebody]] = defaultdict(list)
    for kind in [_PROBE, *(*_EVERY_KIND, _SUPPRESSED) * _PEOPLE]:
        about, kept = _stranger(), None if kind == _PASSWORDLESS else line
        user = await users.create(
            pool, PROJECT, user_id=about.user_id, email=about.email, name="", password_hash=kept
        )  # fmt: skip
        await user_emails.verify(pool, user, by_holder=True)
        numbered = await user_phones.change(pool, user, phone=about.phone)
        await user_phones.verify(pool, numbered, by_holder=True)
        if kind == _BLOCKED:
            await users.change_status(pool, user, status="blocked")
        if kind == _SUPPRESSED:
            await suppressions.suppress(pool, ring, PROJECT, address=about.email, cause="operator", days=9)
        people[kind].append(about)
    people[_NOBODY] = [_stranger() for _ in range(_PEOPLE)]
    return people


def _stranger() -> Somebody:
    user_id = ids.new()
    return Somebody(user_id, f"{user_id}@example.com", f"{_COUNTRY}151{secrets.randbelow(10**8):08}")


def _strangers() -> Iterator[Somebody]:
    """Make new addresses, for a route that gives them an account."""
    while True:
        yield _stranger()


async def _rule(client: aiohttp.ClientSession, people: People, pool: Pool, *, private: bool) -> None:
    """Wait until the API has read the project's rule, which takes it a second."""
    await projects.change(pool, PROJECT, private_signup=private)
    while True:
        async with client.post("/v1/account", json=_sign_up(people[_PROBE][0])) as answer:
            if (answer.status == 201) is private:
                return


async def _times(  # noqa: PLR0917 - all of them are what is measured
    client: aiohttp.ClientSession,
    question: Question,
    people: People,
    nobodies: Iterator[Somebody],
    count: int,
    chance: random.Random,
) -> dict[str, Answers]:
    """Return the answers by class; the classes alternate, each round in another order."""
    answers: dict[str, Answers] = defaultdict(Answers)
    for number in range(count):
        turn = [(kind, people[kind][number % _PEOPLE]) for kind in question.kinds] + [(_NOBODY, next(nobodies))]
        chance.shuffle(turn)
        for kind, about in turn:
            body = question.body(about)
            began = time.perf_counter()
            async with client.request(question.method, question.path, json=body) as answer:
                await answer.read()
            answers[kind].seconds.append(time.perf_counter() - began)
            answers[kind].statuses.add(answer.status)
    return answers


def auc(longer: Sequence[float], shorter: Sequence[float]) -> float:
    """Compute the chance that one of the first is longer, by ranks; a tie counts half."""
    ordered = sorted([(value, 1) for value in longer] + [(value, 0) for value in shorter])
    wins, below, place = 0.0, 0, 0
    while place < len(ordered):
        tied = place
        ones = 0
        while tied < len(ordered) and ordered[tied][0] == ordered[place][0]:
            ones += ordered[tied][1]
            tied += 1
        zeros = tied - place - ones
        wins += ones * (below + zeros / 2)
        below += zeros
        place = tied
    return wins / (len(longer) * len(shorter))


def deviation(count: int) -> float:
    """Compute the deviation of the AUC of two equal classes, `count` of each."""
    return math.sqrt((2 * count + 1) / 12) / count


def _row(question: Question, kind: str, somebody: Answers, nobody: Answers) -> Row:
    """Compare; answers of another status give the class away whatever their time."""
    seconds = somebody.seconds
    found, width = auc(seconds, nobody.seconds), 1.96 * deviation(len(seconds))
    middle = sorted(seconds)[len(seconds) // 2] * 1000
    what = f"{question.name}, {kind}" if kind else question.name
    alike = somebody.statuses == nobody.statuses
    statuses = f"{sorted(somebody.statuses)}{'' if alike else f', nobody {sorted(nobody.statuses)}'}"
    value = f"{statuses}, AUC {found:.4f} ± {width:.4f}, median {middle:.1f} ms"
    if question.revealed:
        return Row(what, value, "none: the status tells")
    return Row(what, value, f"one status, within {GOAL} of 0.5", alike and abs(found - 0.5) <= GOAL)
