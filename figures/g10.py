"""G10: can the time of an answer tell who has an account? Each route is asked in turn for somebody and for nobody.

AUC is the chance that an answer about somebody took longer than one about nobody: 0.5 is blind, 1 and 0 are certain.
Over HTTP against an API process, hashes at their real price, limits off. 5,000 a class take about forty minutes, and
only a quiet machine says something about the service rather than about itself.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from figures.ground import PROJECT, ground
from figures.result import Row
from service import ids, projects, users
from service.db import Pool
from service.passwords import Passwords
from tests import processes

COUNT = 5_000
GOAL = 0.02
_PEOPLE, _WARM = 50, 20
_URL = {"url": "http://localhost/there"}
_PASSWORDS = {"password": "a new horse", "passwordAgain": "a new horse"}


@dataclass(frozen=True, slots=True)
class Somebody:
    user_id: str
    email: str


@dataclass(frozen=True, slots=True)
class Question:
    """A request about somebody or nobody. `told`: the status says it anyway, so its time has nothing to hide."""

    name: str
    method: str
    path: str
    body: Callable[[Somebody], dict[str, Any]]
    told: bool = False
    private: bool = False


def _guess(about: Somebody) -> dict[str, Any]:
    return {"userId": about.user_id, "secret": ids.new() + "f" * 236}


def _sign_up(about: Somebody) -> dict[str, Any]:
    return {"email": about.email, "password": "a new horse"}


QUESTIONS = (
    Question("login", "POST", "/v1/account/sessions", lambda about: {"email": about.email, "password": "wrong horse"}),
    Question("recovery", "POST", "/v1/account/recovery", lambda about: {"email": about.email} | _URL),
    Question("magic URL", "POST", "/v1/account/sessions/magic-url", lambda about: {"email": about.email} | _URL),
    Question(
        "code", "POST", "/v1/account/tokens/email", lambda about: {"email": about.email, "userId": "unique()"}
    ),
    Question("PUT recovery", "PUT", "/v1/account/recovery", lambda about: _guess(about) | _PASSWORDS),
    Question("PUT verification", "PUT", "/v1/account/verification", _guess),
    Question("PUT magic URL", "PUT", "/v1/account/sessions/magic-url", _guess),
    Question("private sign-up", "POST", "/v1/account", _sign_up, private=True),
    Question("sign-up, 409 or 201", "POST", "/v1/account", _sign_up, told=True),
)  # fmt: skip


async def measure(count: int, seed: int) -> list[Row]:
    async with ground() as laid, processes.api(laid.environment) as (_, address):
        return [row async for row in ask(address, laid.pool, count, seed, QUESTIONS)]


async def ask(address: str, pool: Pool, count: int, seed: int, questions: Sequence[Question]) -> Any:
    """One row a question, `count` times asked of each class."""
    chance, people = random.Random(seed), await _people(pool)
    headers = {"X-Appwrite-Project": PROJECT}
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(
        address, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), connector=connector
    ) as client:
        for question in questions:
            await _rule(client, pool, private=question.private)
            nobodies = _strangers(fresh=question.told)
            await _times(client, question, people, nobodies, _WARM, chance)
            somebody, nobody = await _times(client, question, people, nobodies, count, chance)
            yield _row(question, somebody, nobody)


async def _people(pool: Pool) -> list[Somebody]:
    """Accounts with a password and a proved address."""
    passwords, people = Passwords(threads=1), []
    line = await passwords.hash("the right horse")
    passwords.close()
    for _ in range(_PEOPLE):
        user_id = ids.new()
        email = f"{user_id}@example.com"
        user = await users.create(pool, PROJECT, user_id=user_id, email=email, name="", password_hash=line)
        await users.verify_email(pool, user)
        people.append(Somebody(user_id, email))
    return people


def _strangers(*, fresh: bool) -> Iterator[Somebody]:
    """As many as there are people, so that what is kept about each grows alike; always new ones where they stay."""
    known = [Somebody(user_id, f"{user_id}@example.com") for user_id in (ids.new() for _ in range(_PEOPLE))]
    while True:
        if fresh:
            known = [Somebody(user_id, f"{user_id}@example.com") for user_id in (ids.new() for _ in range(_PEOPLE))]
        yield from known


async def _rule(client: aiohttp.ClientSession, pool: Pool, *, private: bool) -> None:
    """Until the API has seen the project's rule, which takes it a second."""
    await projects.change(pool, PROJECT, private_signup=private)
    taken = await pool.fetchrow("select email from users where project_id = $1 limit 1", PROJECT)
    while True:
        async with client.post("/v1/account", json={"email": taken[0], "password": "a new horse"}) as answer:
            if (answer.status == 201) is private:
                return


async def _times(  # noqa: PLR0917 - all of them are what is measured
    client: aiohttp.ClientSession,
    question: Question,
    people: list[Somebody],
    nobodies: Iterator[Somebody],
    count: int,
    chance: random.Random,
) -> tuple[list[float], list[float]]:
    """Seconds that answers took, about somebody and about nobody, asked in turn and each time in another order."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(count):
        pair = [(0, people[number % _PEOPLE]), (1, next(nobodies))]
        chance.shuffle(pair)
        for place, about in pair:
            body = question.body(about)
            began = time.perf_counter()
            async with client.request(question.method, question.path, json=body) as answer:
                await answer.read()
            times[place].append(time.perf_counter() - began)
    return times


def auc(longer: Sequence[float], shorter: Sequence[float]) -> float:
    """The chance that one of the first is the longer, by ranks; a tie counts half."""
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
    """Of the AUC of two classes that are one, `count` of each."""
    return math.sqrt((2 * count + 1) / 12) / count


def _row(question: Question, somebody: list[float], nobody: list[float]) -> Row:
    found, width = auc(somebody, nobody), 1.96 * deviation(len(somebody))
    middle = sorted(somebody)[len(somebody) // 2] * 1000
    value = f"AUC {found:.4f} ± {width:.4f}, median {middle:.1f} ms"
    if question.told:
        return Row(question.name, value, "none: the status tells")
    return Row(question.name, value, f"within {GOAL} of 0.5", abs(found - 0.5) <= GOAL)
