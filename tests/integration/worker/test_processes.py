"""Real workers that are killed, paused and told to stop, in the middle of a mail."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from service.crypto.secret import Secret
from service.db import Pool
from service.settings import Settings
from service.store import project_relays, users
from testkit import processes, systemd
from testkit.outbox import request_mail
from testkit.patience import PATIENCE, stretched
from testkit.sink import Sink
from testkit.waiting import until
from tests.integration.worker.test_delivery import due_now, state
from tests.integration.worker.test_history import history
from worker.leases import LEASE

# What the promise gives a worker that starts again (docs/reliability.md G1), and starting is part of it.
_RESTARTED = 10


@pytest.fixture
def setting(environment: dict[str, str], sink: Sink, tmp_path: Path, redis) -> dict[str, str]:
    """A worker's environment; its state outlives it."""
    return environment | {
        "SMTP_URL": f"smtp://127.0.0.1:{sink.port}?tls=none",
        "WORKER_STATE": str(tmp_path / "state"),
    }


def rcpt_said(sink: Sink) -> bool:
    return any(line.startswith("RCPT") for line in sink.commands)


async def until_state(pool: Pool, mail: UUID, wanted: str, *, seconds: float = PATIENCE) -> None:
    async def reached() -> bool:
        return await state(pool, mail) == wanted

    await until(reached, seconds=seconds, what=f"the mail is not {wanted}")


async def test_f52_killed_between_the_relays_yes_and_the_mark(
    pool: Pool, sink: Sink, setting: dict[str, str], ann: users.User, tmp_path: Path
):
    """The next process under that name tells what was sent from its receipts: no second mail."""
    mail = await request_mail(pool)
    await due_now(pool)
    armed = setting | {"FAILPOINTS": "worker.record.before:exit"}
    async with processes.worker(armed, heartbeat=tmp_path / "alive") as dying:
        assert await asyncio.wait_for(dying.process.wait(), PATIENCE) == 137
    assert (await state(pool, mail), len(sink.mails)) == ("sending", 1)
    async with processes.worker(setting, heartbeat=tmp_path / "alive"):
        await until_state(pool, mail, "sent")
    assert [event[0] for event in await history(pool, mail)] == ["sent"]
    assert len(sink.mails) == 1


async def test_f52_killed_in_mid_dialogue(
    pool: Pool, sink: Sink, setting: dict[str, str], ann: users.User, tmp_path: Path
):
    """Started again it has the same name, takes its mail back at once and sends it; the history says what was lost."""
    sink.script("rcpt", action="hang", times=1)
    mail = await request_mail(pool)
    await due_now(pool)
    async with processes.worker(setting, heartbeat=tmp_path / "alive") as killed:
        await sink.wait_for(rcpt_said)
        await killed.end(signal.SIGKILL)
    async with asyncio.timeout(stretched(_RESTARTED)), processes.worker(setting, heartbeat=tmp_path / "alive"):
        await until_state(pool, mail, "sent")
    lost, sent = await history(pool, mail)
    assert (lost[0], sent[0], lost[2]) == ("lost", "sent", sent[2])
    assert len(sink.mails) == 1


async def test_f52_killed_with_a_mail_of_a_project_that_has_its_own_server(  # noqa: PLR0917 - pytest passes them by name
    pool: Pool, sink: Sink, setting: dict[str, str], settings: Settings, ann: users.User, tmp_path: Path
):
    """The server is set while a worker runs; its next process sends there once; no line or file has the password."""
    secret = "s3cret-of-the-shop"
    async with Sink(users={"shop": secret}) as own:
        own.script("rcpt", action="hang", times=1)
        async with processes.worker(setting, heartbeat=tmp_path / "alive") as killed:
            url = Secret(f"smtp://shop:{secret}@127.0.0.1:{own.port}?tls=none")
            await project_relays.save(pool, settings.key_ring, "shop", server=f"127.0.0.1:{own.port}", url=url)
            named = f"127.0.0.1:{own.port}/shop"
            await until(lambda: named in (tmp_path / "alive").read_text(), what="the heartbeat does not name it")
            mail = await request_mail(pool)
            await own.wait_for(rcpt_said)
            await killed.end(signal.SIGKILL)
        async with processes.worker(setting, heartbeat=tmp_path / "alive") as second:
            await until_state(pool, mail, "sent")
            told = "".join(killed.lines + second.lines) + (tmp_path / "alive").read_text()
        assert (len(own.mails), len(sink.mails), secret in told) == (1, 0, False)
    facts = await pool.fetch("select mail_events::text from mail_events")
    assert named in str(facts)
    assert secret not in str(facts)


async def test_f53_paused_past_its_lease_and_resumed(  # noqa: PLR0917 - pytest passes them by name
    pool: Pool, sink: Sink, setting: dict[str, str], a_worker: Callable, ann: users.User, tmp_path: Path
):
    """Its clock goes on while it is stopped, so it asks before DATA, learns that the mail is another's, and aborts."""
    sink.script("rcpt", "250 ok", action="drip", pause=0.5, times=1)
    mail = await request_mail(pool)
    await due_now(pool)
    async with processes.worker(setting, heartbeat=tmp_path / "alive") as paused:
        await sink.wait_for(rcpt_said)
        paused.send(signal.SIGSTOP)
        try:
            # Its lease runs out, only sooner than in half a minute.
            await due_now(pool)
            await a_worker("two").deliver(mail)
            assert await state(pool, mail) == "sent"
            await asyncio.sleep(LEASE / 2 + 1)  # the fault itself: a worker must be gone for so long
        finally:
            paused.send(signal.SIGCONT)
        await until(lambda: any("mail.lease_lost" in line for line in paused.lines))
    assert len(sink.mails) == 1
    assert [event[0] for event in await history(pool, mail)] == ["lost", "sent"]


async def test_f56_told_to_stop_twice_a_worker_hands_its_mail_back(
    pool: Pool, sink: Sink, setting: dict[str, str], ann: users.User, tmp_path: Path
):
    """A second signal does not wait for the relay: the mail is anybody's at once, and the worker ends in order."""
    sink.script("rcpt", action="hang", times=1)
    mail = await request_mail(pool)
    await due_now(pool)
    async with processes.worker(setting, heartbeat=tmp_path / "alive") as stopped:
        await sink.wait_for(rcpt_said)
        stopped.send(signal.SIGTERM)
        # Another one, because two of a kind that nobody has taken yet are one.
        assert await stopped.end(signal.SIGINT) == 0
    row = await pool.fetchrow("select state, lease_by, due_at <= now() from mails")
    assert tuple(row) == ("pending", None, True)
    assert await history(pool, mail) == []
    assert not (tmp_path / "alive").exists()


async def test_f56_what_may_have_been_sent_is_told_so(
    pool: Pool, sink: Sink, setting: dict[str, str], ann: users.User, tmp_path: Path
):
    """Stopped while it waits for the word after the dot: handed back too, as a suspected duplicate."""
    sink.script("dot", action="hang", times=1)
    mail = await request_mail(pool)
    await due_now(pool)
    async with processes.worker(setting, heartbeat=tmp_path / "alive") as stopped:
        await sink.wait_for(lambda sink: any(line.startswith("DATA") for line in sink.commands))
        stopped.send(signal.SIGTERM)
        assert await stopped.end(signal.SIGINT) == 0
    ((name, attempt, _, _, stage, code, _),) = await history(pool, mail)
    assert (name, attempt, stage, code) == ("waits", 1, "dot", 0)
    assert await state(pool, mail) == "pending"


async def test_systemd_is_told_of_a_workers_life(pool: Pool, setting: dict[str, str], tmp_path: Path):
    """That it is ready, that its event loop turns, and that it stops."""
    with systemd.listener(tmp_path) as listening:
        async with processes.worker(setting | listening.environment, heartbeat=tmp_path / "alive") as running:
            told: list[str] = []
            await until(lambda: told.extend(listening.told()) or told.count("WATCHDOG=1") > 1)
            assert await running.end() == 0
        told += listening.told()
    assert [state for state in told if state != "WATCHDOG=1"] == ["READY=1", "STOPPING=1"]


async def test_f54_postgres_is_waited_for(setting: dict[str, str], tmp_path: Path):
    """A worker that starts without Postgres lives and says so; told to stop while it waits, it stops."""
    away = setting | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}
    async with processes.worker(away, heartbeat=tmp_path / "alive") as waiting:
        await until(lambda: any("postgres.unavailable" in line for line in waiting.lines))
        assert await waiting.end() == 0
