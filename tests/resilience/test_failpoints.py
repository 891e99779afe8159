"""Every point at which a crash is rehearsed, crashed at: nothing is lost, nothing doubled, one event an act (G3).

FAULTS=full walks through every point, each FAULTS_ROUNDS times; else FAULTS_SAMPLE of them, chosen by chance. The
message of a failing run has its seed.
"""

import ast
import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Collection
from fnmatch import fnmatchcase
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from service import failpoints
from service.queue import JobQueue
from service.queue import connect as connect_redis
from service.settings import Settings
from service.store.projects import Project
from testkit import forks
from testkit.crashes import Ground, Stage, here, there
from testkit.factor_crashes import factor_ground
from testkit.postgres import session
from testkit.sink import Sink
from testkit.sources import modules
from testkit.webhook_crashes import HOUR, POINTS, webhook_ground
from worker import poller

pytestmark = pytest.mark.usefixtures("disarmed")

_SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.randrange(1, 2**31)
_FULL = os.environ.get("FAULTS") == "full"
_ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "1"))
_SAMPLE = int(os.environ.get("FAULTS_SAMPLE", "8"))


@pytest.fixture
async def ground(
    environment: dict[str, str], project: Project, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ground]:
    """The project `shop` on the tests' servers, and a sink."""
    async with Sink() as sink, session(environment["DATABASE_URL"]) as connection:
        words = environment | {
            "SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none", "LIMITS": "off", "WORKER_ID": "one",
            "WORKER_STATE": str(tmp_path / "state"), "WORKER_HEARTBEAT": str(tmp_path / "alive"),
        }  # fmt: skip
        for name, value in words.items():
            monkeypatch.setenv(name, value)
        yield Ground(words, tmp_path, sink, connection)


@pytest.fixture
async def factors(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    """The same with a webhook for SMS, passkeys, a provider, and a server of the app."""
    async with factor_ground(ground, Settings.read().key_ring) as laid:
        monkeypatch.setenv("SMS_URL", laid.environment["SMS_URL"])
        yield laid


@pytest.fixture
async def webhooks(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    """The same with a webhook, ports for bounces, and an hour of a second in which the log's chains are signed."""
    async with webhook_ground(ground, Settings.read().key_ring) as laid:
        for name, value in laid.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(poller, "PURGE_INTERVAL", float(HOUR))
        laid.environment[forks.HOUR] = HOUR
        yield laid


async def passed(ground: Ground) -> Counter[str]:
    """Every point that the journey passes when nothing breaks, and how often it does."""
    trace = ground.folder / "trace"
    async with here(ground) as stage:
        assert await stage.round(f"trace={trace}") == []
    return Counter(line.split()[1] for line in trace.read_text().splitlines())


def chosen(found: Counter[str], action: str, sample: int = _SAMPLE) -> tuple[list[str], int]:
    """Traps, and how many of them must be met: each point each time that the journey passes it, all so many times.

    A point that is crashed at its first time only would prove the first act alone that has it. By chance: three times
    as many points as must be met, for no two journeys pass a point of the background equally often.
    """
    if _FULL:
        traps = [f"{point}:{action}:{nth}" for point in sorted(found) for nth in range(1, found[point] + 1)]
        return traps * _ROUNDS, int(len(traps) * 0.7)
    chance = random.Random(f"{_SEED} {action}")
    points = chance.sample(sorted(found), min(3 * sample, len(found)))
    return [f"{point}:{action}:{chance.randint(1, found[point])}" for point in points], min(sample, len(found) // 3)


async def crash(stage: Stage, traps: list[str], enough: int) -> dict[str, list[str]]:
    """Faults by failpoint. A few are left when enough were met; all of them are tried in full."""
    wrong = {}
    for trap in traps:
        if lines := await stage.round(trap):
            wrong[trap] = lines
        if not _FULL and len(stage.hit) >= enough:
            break
    return wrong


async def crashed(
    ground: Ground, action: str, sample: int = _SAMPLE, *, points: Collection[str] | None = None, least: int = 60
) -> None:
    """Broken line, cancelled task, dead process: what was acknowledged stands, what was not can be repeated.

    At all points of the journey, `least` of them, or at these alone.
    """
    found = await passed(ground)
    assert not set(found) - set(failpoints.names())
    if points is not None:
        found = Counter({point: number for point, number in found.items() if point in points})
    assert len(found) >= least
    traps, enough = chosen(found, action, sample)
    async with (there if action == "exit" else here)(ground) as stage:
        wrong = await crash(stage, traps, enough)
        assert not wrong, f"FAULTS_SEED={_SEED}: {wrong}"
        assert len(stage.hit) >= enough, "most traps were never met"


@pytest.mark.skipif(_FULL, reason="the full set has these too")
@pytest.mark.parametrize("action", ["raise", "cancel", "exit"])
async def test_a_crash_is_survived(ground: Ground, action: str):
    """A few of the crashes below, by chance; the seed of a failing run is in its message, for FAULTS_SEED."""
    await crashed(ground, action)


@pytest.mark.skipif(_FULL, reason="the full set has these too")
@pytest.mark.parametrize("action", ["raise", "cancel", "exit"])
async def test_a_crash_among_factors_is_survived(factors: Ground, action: str):
    """A few crashes in the other journey, whose codes, challenges and tokens work once and for what they are for."""
    await crashed(factors, action, _SAMPLE // 2)


@pytest.mark.skipif(_FULL, reason="the full set has these too")
@pytest.mark.parametrize("action", ["raise", "cancel", "exit"])
async def test_a_crash_among_webhooks_is_survived(webhooks: Ground, action: str):
    """A few crashes between the feed, a webhook, reports on mails, the export and the log's chain."""
    await crashed(webhooks, action, _SAMPLE // 4, points=POINTS, least=40)


@pytest.mark.faults_full
@pytest.mark.skipif(not _FULL, reason="FAULTS=full takes an hour a round")
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("action", ["raise", "cancel", "exit"])
async def test_every_crash_among_webhooks_is_survived(webhooks: Ground, action: str):
    """At each point of theirs, every time it is passed: no event or report lost, each user's events in order."""
    await crashed(webhooks, action, points=POINTS, least=40)


@pytest.mark.faults_full
@pytest.mark.skipif(not _FULL, reason="FAULTS=full takes an hour a round")
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("action", ["raise", "cancel", "exit"])
async def test_every_crash_among_factors_is_survived(factors: Ground, action: str):
    """At every point, every time it is passed: no code lost or sent too often, nothing half done or done twice."""
    await crashed(factors, action)


@pytest.mark.faults_full
@pytest.mark.skipif(not _FULL, reason="FAULTS=full takes half an hour a round")
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("action", ["raise", "cancel", "exit"])
async def test_every_crash_is_survived(ground: Ground, action: str):
    """At every point, every time it is passed: nothing lost, nothing doubled, one event an act, no orphan (P1-P5)."""
    await crashed(ground, action)


def literals() -> set[str]:
    """The names in the source that are given to `reach`; what an f-string puts in is a star."""
    found = set()
    for tree in modules("service", "worker").values():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="reach") | ast.Name(id="reach" | "_reach"), args=[ast.expr() as name]
                ):
                    found.add(_text(name))
                case _:
                    pass
    return {name for name in found if name}


def _text(name: ast.expr) -> str:
    match name:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(part.value if isinstance(part, ast.Constant) else "*" for part in parts)
    return ""


def test_the_registry_knows_what_the_source_reaches():
    """No hand-kept list: each name in the source is a point, under its door's name or in the door's short form."""
    names = failpoints.names()
    doors = tuple(failpoints.CROSSINGS)
    for literal in literals():
        forms = [literal] if literal.startswith(doors) else [f"{door}.{literal}" for door in doors]
        assert any(fnmatchcase(name, form) for name in names for form in forms), literal


def test_the_source_has_what_the_registry_knows():
    """A word of a door that no code says any more leaves the registry."""
    spoken = {
        node.value
        for tree in modules("service", "worker").values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for door, words in failpoints.CROSSINGS.items():
        for word in words:
            forms = (word, f"{word}.before", f"{door}.{word}.before")
            assert spoken & {*forms}, f"{door}.{word}"


def test_statements_are_points_by_themselves():
    """Two a statement: a new one in sql/queries is in the matrix without a word from anybody."""
    assert {"db.claim_mails.before", "db.claim_mails.after", "db.find_project.before"} <= set(failpoints.names())
    assert len(failpoints.names()) == len(set(failpoints.names())) >= 150


@pytest.mark.parametrize(
    "text", ["nowhere.before:exit", "db.commit.before:explode", "db.commit.before", "db.commit.before:sleep",
             "db.commit.before:exit=1", "db.commit.before:exit:soon"],
)  # fmt: skip
def test_what_would_never_act_is_refused(text: str):
    """A misspelt trap would make a test that proves nothing."""
    with pytest.raises(ValueError, match=r"failpoint|invalid literal"):
        failpoints.arm(text)
    assert not failpoints.armed


async def test_a_trap_acts_as_often_as_it_says(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """`:2` is the second time alone, without a number it is each; the process says that it fails on purpose."""
    trace = tmp_path / "trace"
    failpoints.arm(f"db.commit.*:raise:2, redis.enqueue.before:raise, trace={trace}")
    await failpoints.reach("db.commit.before")
    for name in ("db.commit.before", "redis.enqueue.before", "redis.enqueue.before"):
        with pytest.raises(ConnectionResetError):
            await failpoints.reach(name)
    await failpoints.reach("db.commit.before")
    assert failpoints.reached("db.commit.before") == 3
    assert trace.read_text().splitlines()[0] == f"{os.getpid()} db.commit.before"
    assert [record.event for record in caplog.records] == ["failpoints.armed"]


async def test_a_cancel_comes_at_the_point():
    """The task is cancelled there and then, not at its next await."""
    failpoints.arm("db.commit.before:cancel")
    task = asyncio.create_task(failpoints.reach("db.commit.before"))
    await asyncio.wait({task})
    assert task.cancelled()


async def test_hang_and_sleep_wait():
    """A hang is longer than any deadline; a sleep is as long as it says."""
    failpoints.arm("db.commit.before:hang,db.commit.after:sleep=0.05")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await failpoints.reach("db.commit.before")
    async with asyncio.timeout(5):
        await failpoints.reach("db.commit.after")


async def test_a_job_that_is_not_enqueued_is_counted(redis_url: str):
    """A failpoint at Redis acts like a broken connection: the job is lost and counted, no more."""
    failpoints.arm("redis.enqueue.before:raise")
    redis = connect_redis(redis_url)
    job_queue = JobQueue(redis)
    job_queue.enqueue("send_mail", uuid4())
    await job_queue.drain()
    assert job_queue.failed_enqueues == 1
    await redis.aclose(close_connection_pool=True)
