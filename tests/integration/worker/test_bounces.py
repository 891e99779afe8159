"""Mails that come back: by pipe and by LMTP, into the history, and to a suppression."""

import asyncio
import contextlib
import io
import signal
import smtplib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from devstack.servers import free_port
from service.db import Pool
from service.settings import Settings
from service.store import projects, suppressions, users
from testkit import bounces, processes
from testkit.bounces import hand_over
from testkit.outbox import ANN, request_mail
from testkit.sink import Sink
from testkit.waiting import until
from tests.integration.conftest import Terminal
from worker.bounces import pipe
from worker.bounces.intake import BounceIntake
from worker.bounces.lmtp import LmtpPort
from worker.bounces.return_path import ReturnPath
from worker.metrics import Metrics

ADDRESS = "bounces@bounces.accounts.test"


@pytest.fixture
def paths(settings: Settings) -> ReturnPath:
    return ReturnPath(ADDRESS, settings.key_ring)


@pytest.fixture
async def sent(pool: Pool, a_worker, ann: users.User, paths: ReturnPath) -> UUID:
    """A mail to Ann that a relay has taken."""
    mail = await request_mail(pool)
    await replace(a_worker(), return_path=paths).deliver(mail)
    return mail


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.fixture
async def lmtp(pool: Pool, settings: Settings, paths: ReturnPath) -> AsyncIterator[LmtpPort]:
    """A worker's listener."""
    intake = BounceIntake(pool, paths, settings.key_ring, days=9)
    port = LmtpPort("127.0.0.1", free_port(), intake, Metrics())
    task = asyncio.create_task(port.run())
    await until(lambda: listens(port.port))
    yield port
    task.cancel()
    await asyncio.wait([task])


async def history(pool: Pool) -> list[tuple[str, str]]:
    rows = await pool.fetch("select name, stage from mail_events order by id")
    return [(row["name"], row["stage"]) for row in rows if row["name"] != "sent"]


async def suppressed(pool: Pool) -> list[str]:
    return [row["cause"] for row in await pool.fetch("select cause from suppressions")]


async def test_a_mail_is_sent_from_a_return_path_of_its_own(sink: Sink, sent: UUID, paths: ReturnPath):
    """The envelope names the mail; From stays the sender's."""
    assert (sink.mails[0].sender, b"no-reply@accounts.test" in sink.mails[0].content) == (
        paths.of(sent),
        True,
    )


async def test_a_bounce_suppresses_and_is_shown(pool: Pool, lmtp: LmtpPort, sent: UUID, a_worker, type_: Terminal):
    """The next mail is not sent; the history says why; the same bounce again changes nothing, even after a lift."""
    path, ring = lmtp.intake.return_path.of(sent), lmtp.intake.ring
    bounce = bounces.dsn(path, ANN)
    assert (await hand_over(lmtp.port, path, bounce))[0] == 250
    assert (await history(pool), await suppressed(pool)) == ([("bounced", "dsn")], ["bounced"])
    shown = (await type_("mails", "show", str(sent)))[1]
    assert "bounced (dsn 5.1.1 550 5.1.1 <a…@example.com> unknown)" in shown
    assert "sent" in (await type_("mails", "list"))[1]
    await a_worker().deliver(await request_mail(pool))
    assert (await pool.fetchrow("select count(*) from mails where state = 'suppressed'"))[0] == 1
    assert await suppressions.lift(pool, ring, "shop", address=ANN)
    assert (await hand_over(lmtp.port, path, bounce))[0] == 250
    assert await suppressed(pool) == []
    assert "retried: 1" in (await type_("mails", "retry", "--state", "suppressed", "--project", "shop"))[1]
    assert lmtp.metrics.since_start["reports_bounced"] == 2


@pytest.mark.parametrize(
    ("raw", "told", "cause"),
    [
        (lambda path: bounces.dsn(path, ANN, action="delayed", status="4.4.1"), [("deferred", "dsn")], []),
        (lambda path: bounces.dsn(path, ANN, status="5.2.2"), [("bounced", "dsn")], []),
        (lambda path: bounces.dsn(path, "forwarded@example.org"), [("bounced", "dsn")], []),
        (lambda path: bounces.arf(ADDRESS, path), [("complained", "arf")], ["complained"]),
        (lambda path: bounces.qmail(path, ANN.upper()), [("bounced", "bounce")], ["bounced"]),
        (bounces.automatic_reply, [], []),
    ],
    ids=["delayed", "full", "another recipient", "complaint", "qmail", "automatic reply"],
)
async def test_what_is_recorded_and_who_is_suppressed(
    pool: Pool, lmtp: LmtpPort, sent: UUID, paths: ReturnPath, *, raw, told: list[tuple[str, str]], cause: list[str]
):
    """Only the recipient of the mail, and only for good; what reports nothing is taken and forgotten."""
    to = ADDRESS if told == [("complained", "arf")] else paths.of(sent)
    assert (await hand_over(lmtp.port, to, raw(paths.of(sent))))[0] == 250
    assert (await history(pool), await suppressed(pool)) == (told, cause)


async def test_forged_and_junk_bounces_are_refused(pool: Pool, lmtp: LmtpPort, sent: UUID, paths: ReturnPath):
    """A wrong tag is no address here; without a return path a complaint is about nothing; nested junk is refused."""
    forged = ReturnPath(ADDRESS, {"x": b"x" * 32}).of(sent)
    assert (await hand_over(lmtp.port, forged, bounces.dsn(forged, ANN)))[0] == 550
    assert (await hand_over(lmtp.port, ADDRESS, bounces.arf(ADDRESS, forged)))[0] == 554
    assert (await hand_over(lmtp.port, paths.of(sent), bounces.nested(2000)))[0] == 554
    assert (await history(pool), await suppressed(pool)) == ([], [])
    assert lmtp.metrics.since_start["reports_refused"] == 2


async def test_while_postgres_is_away_the_mail_server_keeps_it(lmtp: LmtpPort, sent: UUID, paths: ReturnPath):
    """451, so that it comes again: nothing is lost."""
    away = Pool(f"postgres://nobody@127.0.0.1:{free_port()}/none", size=1, patience=0.1)
    lmtp.intake.conn = away
    assert (await hand_over(lmtp.port, paths.of(sent), bounces.dsn(paths.of(sent), ANN)))[0] == 451
    await away.close()


async def test_a_pipe_takes_one_mail(
    pool: Pool, sent: UUID, paths: ReturnPath, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """The return path may stand in its headers alone; codes are those of sysexits.h, which mail servers read."""

    async def piped(raw: bytes, *recipients: str) -> int:
        return await asyncio.to_thread(pipe.run, list(recipients), io.BytesIO(raw))

    bounce = bounces.dsn(paths.of(sent), ANN)
    assert await piped(bounce) == pipe.TRY_AGAIN  # BOUNCE_ADDRESS is not set
    monkeypatch.setenv("BOUNCE_ADDRESS", ADDRESS)
    assert await piped(bounces.nested(2000), paths.of(sent)) == pipe.REFUSED
    assert await piped(bounces.automatic_reply("else@example.com")) == pipe.REFUSED
    assert await piped(bounces.automatic_reply(paths.of(sent)), paths.of(sent)) == pipe.DONE
    assert await suppressed(pool) == []
    assert await piped(bounce) == pipe.DONE
    assert await suppressed(pool) == ["bounced"]
    monkeypatch.setenv("DATABASE_URL", f"postgres://nobody@127.0.0.1:{free_port()}/none")
    assert await piped(bounce) == pipe.TRY_AGAIN


async def test_a_killed_worker_loses_no_bounce(
    pool: Pool, paths: ReturnPath, environment: dict[str, str], project: projects.Project, tmp_path: Path
):
    """A bounce answered with 250 is there; one that was not comes again, and stands once in its mail's history."""
    mails = [(uuid4(), f"user{number}@example.com") for number in range(40)]
    for mail, address in mails:
        await pool.execute(
            "insert into mails (project_id, id, letter, recipient, locale, state, attempts, deadline_at, message_id)"
            " values ('shop', $1, 'recovery', $2, 'en', 'sent', 1, now(), 'x')",
            mail, address,
        )  # fmt: skip
    ours = environment | {"BOUNCE_ADDRESS": ADDRESS, "BOUNCE_LMTP_PORT": str(free_port())}
    ours["WORKER_STATE"] = str(tmp_path / "state")
    left, port = dict(mails), int(ours["BOUNCE_LMTP_PORT"])

    async def hand_over_some(lane: int, worker: processes.Process, killed_at: int) -> None:
        for mail, address in list(left.items())[lane::4]:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                code, _ = await hand_over(port, paths.of(mail), bounces.dsn(paths.of(mail), address))
                if code == 250:
                    del left[mail]
                    if len(left) == killed_at:
                        await worker.end(signal.SIGKILL)  # three others are under way

    for killed_at in (25, -1):
        async with processes.worker(ours, heartbeat=tmp_path / "alive") as worker:
            await until(lambda: listens(port))
            await asyncio.gather(*(hand_over_some(lane, worker, killed_at) for lane in range(4)))
    assert left == {}
    rows = await pool.fetch("select mail_id, count(*) from mail_events where name = 'bounced' group by mail_id")
    assert sorted(tuple(row) for row in rows) == sorted((mail, 1) for mail, _ in mails)
    assert len(await suppressed(pool)) == len(mails)
