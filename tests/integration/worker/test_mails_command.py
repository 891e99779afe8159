"""`python -m service mails`: what an operator sees of mails, what may be steered, and what the exit code says."""

import asyncio
import json
import re
import subprocess
import sys
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from devstack.servers import free_port
from service import ids, outages, queue
from service import relay_reports as reports
from service.__main__ import main
from service.cli import durations
from service.cli.exit_codes import AWAY, MISSING, UNFIT, WRONG
from service.cli.mails.output import REFUSED
from service.db import Pool
from service.queue import QUEUE, SEND_MAIL
from service.store import outbox_admin, projects, users
from service.store.outbox_admin import MailFilter
from testkit.outbox import claim as claim_mail
from testkit.outbox import request_mail as posted
from testkit.patience import PATIENCE
from testkit.sources import ROOT

ANN = "ann@example.com"
SECRET_TEXT = "550 <ann@example.com>: \x1b[2Jno such user"


class Terminal:
    """Types words and remembers what came: exit code, standard output, standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *words: object) -> tuple[int, str, str]:
        self._capsys.readouterr()
        try:
            code = await asyncio.to_thread(main, ["mails", *map(str, words)])
        except SystemExit as end:  # argparse leaves this way
            code = int(end.code or 0)
        told = self._capsys.readouterr()
        return code, told.out, told.err

    async def json(self, *words: object, code: int = 0) -> Any:
        ended, out, err = await self(*words, "--json")
        assert ended == code, err
        return json.loads(out)


@pytest.fixture
async def terminal(
    database: str, redis_url: str, redis: Redis, *, monkeypatch: pytest.MonkeyPatch, capsys, project: projects.Project
) -> Terminal:
    """With nothing in the environment but where Postgres and Redis are."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return Terminal(capsys)


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> users.User:
    return await users.create(pool, "shop", user_id="ann", email=ANN, name="Ann", password_hash=None)


async def request_mail(pool: Pool, email: str = ANN, *, user_id: str | None = None, **changes: Any) -> UUID:
    """A mail as the API posts it, then columns of it changed."""
    mail = await posted(pool, email, user_id=user_id)
    for column, value in changes.items():
        await pool.execute(f"update mails set {column} = $2 where id = $1", mail, value)
    return mail


async def happened(pool: Pool, mail: UUID, name: str, attempt: int = 1, **facts: Any) -> None:
    columns = "".join(f", {column}" for column in facts)
    values = "".join(f", ${number}" for number in range(4, 4 + len(facts)))
    await pool.execute(
        f"insert into mail_events (project_id, mail_id, name, attempt{columns}) values ('shop', $1, $2, $3{values})",
        mail, name, attempt, *facts.values(),
    )  # fmt: skip


async def states(pool: Pool) -> dict[UUID, str]:
    return {row["id"]: row["state"] for row in await pool.fetch("select id, state from mails")}


@pytest.mark.parametrize("verb", ["", "list", "show", "status", "retry", "cancel"])
async def test_every_command_explains_itself(capsys, verb: str):
    """--help answers 0 and the exit codes, without settings or servers."""
    code, out, _ = await Terminal(capsys)(*verb.split(), "--help")
    assert code == 0
    assert "usage: python -m service mails" in out
    assert not verb or ("Exit codes:" in out and "--json" in out)


@pytest.mark.parametrize(
    "words",
    ["", "nothing", "list --state lost", "list --limit 0", "list --limit 1001", "list --limit x", "list --after 5",
     "list --older-than 10", "list --older-than m", "list --older-than -1m", "list --newer-than 99999d", "show",
     "show 5", "retry", "retry --dry-run", "cancel", "retry 5", "status --project", "list --letter none",
     "cancel 01999999-0000-7000-8000-000000000000 --state pending"],
)  # fmt: skip
async def test_wrong_words_are_two(terminal: Terminal, words: str):
    """2 and a sentence; a wish without any choice is never taken for all mails."""
    code, out, err = await terminal(*words.split())
    assert (code, out) == (WRONG, "") == (2, "")
    assert err


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("3h", 10_800), ("1d", 86_400)])
def test_spans(text: str, seconds: float):
    """A span is read as it is written, and told in the largest unit of which there are two."""
    assert durations.parse(text) == seconds
    assert [durations.format_duration(number) for number in (-1, 0, 90, 120, 7199, 7200, 172_800)] == [
        "0s", "0s", "90s", "2m", "119m", "2h", "2d",
    ]  # fmt: skip


async def test_what_is_not_there_is_four(terminal: Terminal):
    """An object that isn't there is named in one line, with exit code 4."""
    for words in (f"show {ids.new_uuid()}", "list --project nowhere", "status --project nowhere",
                  "retry --project nowhere", "cancel --project nowhere"):  # fmt: skip
        code, out, err = await terminal(*words.split())
        assert (code, out, len(err.splitlines())) == (MISSING, "", 1) == (4, "", 1), words
    assert (await terminal.json("retry", ids.new_uuid(), code=MISSING))["refused"][0]["verdict"] == "unknown"


async def test_unfit_settings_are_five(terminal: Terminal, monkeypatch: pytest.MonkeyPatch):
    """Without a server's address a command ends with 5 and names the setting; the relay's is not needed."""
    monkeypatch.delenv("REDIS_URL")
    code, _, err = await terminal("list")
    assert (code, "REDIS_URL is not set" in err, "SMTP_URL" in err) == (UNFIT, True, False) == (5, True, False)


async def test_no_database_is_six(terminal: Terminal, monkeypatch: pytest.MonkeyPatch):
    """6, without a traceback and without the password of the address."""
    monkeypatch.setenv("DATABASE_URL", f"postgres://ann:hunter2@127.0.0.1:{free_port()}/none")
    code, _, err = await terminal("status")
    assert (code, err.startswith("postgres at 127.0.0.1:"), "hunter2" in err) == (AWAY, True, False) == (6, True, False)


async def test_a_list_is_narrowed_and_paged(terminal: Terminal, pool: Pool, ann: users.User):
    """Newest first, by state, project, letter and age; pages follow each other by the last id."""
    first = await request_mail(pool, user_id="ann")
    failed = await request_mail(pool, state="failed", last_code=550, last_fault="rcpt: 5.1.1 unknown")
    await happened(pool, failed, "failed", stage="rcpt", code=550, fault="5.1.1 unknown")
    last = await request_mail(pool)

    async def listed(*words: object) -> list[str]:
        return [mail["id"] for mail in await terminal.json("list", *words)]

    assert await listed() == [str(each) for each in (last, failed, first)]
    assert await listed("--limit", 2) == [str(last), str(failed)]
    assert await listed("--limit", 2, "--after", failed) == [str(first)]
    assert await listed("--state", "failed", "--state", "sent") == [str(failed)]
    assert await listed("--letter", "verification", "--project", "shop") == [str(first)]
    await pool.execute("update mails set created_at = created_at - interval '1 hour' where id = $1", first)
    assert await listed("--older-than", "30m") == [str(first)]
    assert await listed("--newer-than", "30m", "--state", "pending") == [str(last)]
    (mail,) = await terminal.json("list", "--state", "failed")
    assert (mail["stage"], mail["last_code"], mail["last_fault"]) == ("rcpt", 550, "5.1.1 unknown")
    code, out, _ = await terminal("list", "--limit", 2)
    head, *rows, more = out.splitlines()
    assert (code, len(rows), more) == (0, 2, f"more: --after {failed}")
    assert head.split() == ["ID", "PROJECT", "LETTER", "RECIPIENT", "STATE", "AGE", "TRIES", "NEXT", "LAST"]
    assert rows[1].endswith("rcpt 550 5.1.1 unknown")
    assert rows[0].split()[-2:] == ["0", "now"]


async def test_addresses_are_masked_unless_asked_for(terminal: Terminal, pool: Pool, ann: users.User):
    """Recipients are personal data, also where a relay repeats them; and no relay moves an operator's cursor."""
    mail = await request_mail(pool, state="failed", last_code=550, last_fault=f"rcpt: {SECRET_TEXT}")
    await happened(pool, mail, "failed", stage="rcpt", code=550, fault=SECRET_TEXT, worker="w", server="relay.test:587")
    for words in (("list",), ("show", mail)):
        for format_ in ((), ("--json",)):
            _, out, _ = await terminal(*words, *format_)
            assert "a…@example.com" in out
            assert ANN not in out
            assert "\x1b" not in out
            _, out, _ = await terminal(*words, *format_, "--recipients")
            assert ANN in out
            assert "\x1b" not in out


async def test_a_mails_life_is_readable(terminal: Terminal, pool: Pool, ann: users.User):
    """One line a step, in order: who tried, where, what came of it and why."""
    mail = await request_mail(pool, state="sent", attempts=4)
    relay = {"worker": "web-1", "server": "relay.test:587"}
    await happened(pool, mail, "waits", 1, **relay, stage="rcpt", code=451, fault="4.7.1 greylisted")
    await happened(pool, mail, "waits", 2, **relay, stage="dot", code=0, fault="no answer in time")
    await happened(pool, mail, "lost", 3, worker="web-1")
    await happened(pool, mail, "retried", 3)
    await happened(pool, mail, "sent", 4, worker="web-2", server="relay.test:587", code=250, fault="queued")
    code, out, _ = await terminal("show", mail)
    told = [line.partition("Z  ")[2] for line in out.splitlines() if "Z  " in line]
    assert (code, told) == (0, [
        "accepted: recovery for shop, to a…@example.com",
        "try 1 by web-1 to relay.test:587: waits (rcpt 451 4.7.1 greylisted)",
        "try 2 by web-1 to relay.test:587: waits (dot no answer in time; it may have arrived)",
        "try 3 by web-1: lost, its worker died or was cut off",
        "an operator asked for one more try",
        "try 4 by web-2 to relay.test:587: sent (250 queued)",
    ])  # fmt: skip
    shown = await terminal.json("show", mail)
    assert [step["name"] for step in shown["history"]] == ["waits", "waits", "lost", "retried", "sent"]
    assert "facts" not in shown


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ("state = 'pending', due_at = now() + interval '10 minutes 9 seconds'", "now: next try in 10m"),
        ("state = 'pending', due_at = now() - interval '10 minutes 9 seconds'", "now: due for 10m"),
        ("state = 'sending', lease_by = 'w', attempts = 2, due_at = now() + interval '3 minutes 9 seconds'",
         "now: try 2 by w, whose lease runs out in 3m"),
        ("state = 'sending', lease_by = 'w', attempts = 2, due_at = now() - interval '3 minutes 9 seconds'",
         "now: try 2 by w, whose lease ran out 3m ago"),
        ("state = 'sent', last_code = 250, ended_at = '2026-01-02'", "2026-01-02 00:00:00Z  sent (250)"),
        ("state = 'failed', last_code = 550, last_fault = 'rcpt: no', ended_at = '2026-01-02'",
         "2026-01-02 00:00:00Z  failed (550 rcpt: no)"),
    ],
)  # fmt: skip
async def test_a_life_ends_with_how_it_stands(terminal: Terminal, pool: Pool, ann: users.User, changes: str, line: str):
    """A history without an end shows the next step; an end that an earlier release left without an event is shown."""
    mail = await request_mail(pool)
    await pool.execute(f"update mails set {changes}")
    _, out, _ = await terminal("show", mail)
    assert out.splitlines()[-1] == line


async def test_retry_makes_due_and_enqueues(
    terminal: Terminal, pool: Pool, redis: Redis, ann: users.User, monkeypatch: pytest.MonkeyPatch
):
    """Retry makes a waiting mail due, revives a failed one and enqueues its job; each has its event."""
    monkeypatch.setattr(queue, "_PATIENCE", 10.0)  # how long a busy machine waits for Redis is not the question
    waiting, failed = await request_mail(pool), await request_mail(pool, state="failed", last_fault="ours: KeyError")
    await pool.execute("update mails set due_at = now() + interval '1 hour'")
    answer = await terminal.json("retry", waiting, failed)
    assert answer == {"retried": [str(waiting), str(failed)], "refused": [], "dry_run": False}
    rows = await pool.fetch("select state, due_at <= now() as due, ended_at from mails")
    assert {tuple(row) for row in rows} == {("pending", True, None)}
    assert len(await pool.fetch("select from mail_events where name = 'retried'")) == 2
    assert await redis.zrange(QUEUE, 0, -1) == [SEND_MAIL.encode()], "one wake-up for both"


async def test_what_cannot_be_tried_again_is_told_why(terminal: Terminal, pool: Pool, ann: users.User):
    """3; each one's reason; the others are done all the same; a live lease and a sent mail are never touched."""
    good, sent = await request_mail(pool), await request_mail(pool, state="sent")
    sending = await request_mail(pool)
    assert await claim_mail(pool, sending, worker="w", lease=30)
    dead = await request_mail(pool, state="failed", token_id="gone")
    code, out, _ = await terminal("retry", good, sent, sending, dead)
    assert code == REFUSED == 3
    assert out.splitlines() == [
        "retried: 1", f"  {good}",
        "not retried: 3", f"  {sent}: it was sent", f"  {sending}: it is being sent",
        f"  {dead}: its link was used, has expired or was made void",
    ]  # fmt: skip
    assert await states(pool) == {good: "pending", sent: "sent", sending: "sending", dead: "failed"}
    code, out, _ = await terminal("cancel", sending)
    assert (code, "it is being sent" in out) == (REFUSED, True)


async def test_a_dry_run_tells_all_and_does_nothing(terminal: Terminal, pool: Pool, redis: Redis, ann: users.User):
    """The same answer as the real one, and not a row, an event or a job of it."""
    mail, sent = await request_mail(pool, state="failed"), await request_mail(pool, state="sent")
    before = await pool.fetch("select * from mails order by id")
    for verb, done in (("retry", [str(mail)]), ("cancel", [])):
        answer = await terminal.json(verb, mail, sent, "--dry-run", code=REFUSED)
        assert (answer["retried" if verb == "retry" else "cancelled"], answer["dry_run"]) == (done, True)
    assert await pool.fetch("select * from mails order by id") == before
    assert await pool.fetch("select from mail_events") == []
    assert await redis.keys("*") == []


async def test_a_choice_steers_all_that_fit(
    terminal: Terminal, pool: Pool, ann: users.User, monkeypatch: pytest.MonkeyPatch
):
    """In as many steps as it takes; retry without a state means pending and failed, cancel means pending."""
    monkeypatch.setattr("service.cli.mails.steer._BATCH", 2)
    failed = [await request_mail(pool, state="failed") for _ in range(5)]
    cancelled, pending = await request_mail(pool, state="cancelled"), await request_mail(pool)
    answer = await terminal.json("retry", "--project", "shop")
    assert answer["retried"] == [str(mail) for mail in (*failed, pending)]
    assert (await states(pool))[cancelled] == "cancelled"
    assert (await terminal.json("retry", "--state", "cancelled"))["retried"] == [str(cancelled)]
    answer = await terminal.json("cancel", "--letter", "recovery", "--newer-than", "1h")
    assert len(answer["cancelled"]) == 7
    assert set((await states(pool)).values()) == {"cancelled"}
    assert (await terminal.json("cancel", "--letter", "recovery"))["cancelled"] == []


async def test_who_asked_for_a_cancelled_recovery_still_stands_in_the_log(
    terminal: Terminal, pool: Pool, redis: Redis, ann: users.User
):
    """No worker will find out any more whom its event concerns; the terminal does, so that the event can be filed."""
    await request_mail(pool)
    await request_mail(pool, "nobody@example.com")
    assert len((await terminal.json("cancel", "--state", "pending"))["cancelled"]) == 2
    rows = await pool.fetch("select user_id, ready from events")
    assert {tuple(row) for row in rows} == {("ann", True), (None, True)}


async def test_without_redis_a_retry_is_only_later(
    terminal: Terminal, pool: Pool, ann: users.User, monkeypatch: pytest.MonkeyPatch
):
    """The row is what counts: the sweep finds it."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}")
    mail = await request_mail(pool, state="failed")
    assert (await terminal.json("retry", mail))["retried"] == [str(mail)]
    assert await states(pool) == {mail: "pending"}


async def test_status(terminal: Terminal, pool: Pool, ann: users.User):
    """State of the outbox: counts, the oldest that waits, why, and the last hour's tries, losses and duplicates."""
    mail = await request_mail(pool, last_cause="server")
    await pool.execute("update mails set created_at = created_at - interval '2 hours 1 minute'")
    await request_mail(pool, state="sent")
    await happened(pool, mail, "waits", stage="dot", code=0)
    await happened(pool, mail, "lost", worker="w")
    await happened(pool, mail, "retried")
    await happened(pool, mail, "deferred", stage="dsn")
    for words in (("status",), ("status", "--project", "shop")):
        status = await terminal.json(*words)
        assert status["states"] == {"pending": 1, "sent": 1}
        assert status["oldest_pending_age"] >= 7260
        assert status["waiting"] == {"server": 1}
        assert status["last_hour"] == {
            "tries": {"sent": 0, "waits": 1, "failed": 0, "lost": 1}, "without_a_try": {"retried": 1},
            "reported": {"deferred": 1}, "leases_lost": 1, "suspected_duplicates": 1,
        }  # fmt: skip
        _, out, _ = await terminal(*words)
        assert "oldest still to be sent: 2h" in out.splitlines()


async def test_status_names_relays_and_breakers(terminal: Terminal, pool: Pool, redis: Redis, ann: users.User):
    """Each relay by host:port: its breaker at every worker that lives, what it took lately, and when it last did."""
    mail = await request_mail(pool, state="sent")
    one, two, old = "one.test:587", "two.test:587", "old.test:25"
    await happened(pool, mail, "waits", worker="web-1", server=one, stage="connect", code=0, fault="refused")
    await happened(pool, mail, "sent", 2, worker="web-2", server=two, code=250, fault="queued")
    await happened(pool, mail, "failed", 3, worker="web-2", server=old, stage="rcpt", code=550)
    now, _ = await redis.time()
    for worker, at, states in (("web-1", now, ("open", "closed")), ("web-2", now, ("half_open", "closed")),
                               ("dead", now - 60, ("closed", "closed"))):  # fmt: skip
        await redis.hset(
            reports.KEY, worker, json.dumps({"at": at, "relays": dict(zip((one, two), states, strict=True))})
        )
    for name, junk in (("junk", "[1]"), ("junk 2", "{"), ("\x1b[2J", json.dumps({"at": now, "relays": {one: "open"}}))):
        await redis.hset(reports.KEY, name, junk)
    status = await terminal.json("status")
    assert status["unknown"] == ""
    assert [(each["server"], each["breakers"]) for each in status["relays"]] == [
        (one, {"web-1": "open", "web-2": "half_open"}), (two, {"web-1": "closed", "web-2": "closed"}), (old, {}),
    ]  # fmt: skip
    assert [(each["sent"], each["waits"], each["failed"]) for each in status["relays"]] == [
        (0, 1, 0),
        (1, 0, 0),
        (0, 0, 1),
    ]
    _, out, _ = await terminal("status")
    assert [re.sub(r"\d+s ago", "0s ago", line) for line in out.splitlines() if line.startswith("relay ")] == [
        f"relay {one}: open at web-1, half_open at web-2; last hour: sent 0, waits 1, failed 0",
        f"relay {two}: closed at web-1, closed at web-2; last hour: sent 1, waits 0, failed 0; last sent 0s ago",
        f"relay {old}: no worker tells of it; last hour: sent 0, waits 0, failed 1",
    ]


async def test_status_without_redis_tells_what_postgres_knows(
    terminal: Terminal, pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    """Without Redis `status` shows what Postgres knows, and why the breakers are not known."""
    port = free_port()
    monkeypatch.setenv("REDIS_URL", f"redis://:hidden@127.0.0.1:{port}")
    code, out, err = await terminal("status")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith(f"breakers: not known, redis at 127.0.0.1:{port} refuses connections")


async def test_a_worker_tells_of_its_relays(a_worker, redis: Redis):
    """A worker's report of its relays is there for half a minute, and until the worker stops."""
    worker = a_worker("one")
    told = reports.RelayReporter(redis, "one", worker.relays.shared.states, outages.of_redis("redis://127.0.0.1"))
    await told.publish()
    assert await reports.read(redis) == {"one": dict(worker.relays.shared.states())}
    assert 0 < await redis.ttl(reports.KEY) <= reports.LIFE
    await told.stop()
    assert await reports.read(redis) == {}


async def test_the_report_notices_that_redis_is_back(
    a_worker, redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """A worker whose one write failed may write nothing for hours: its log says all the same that it is over."""
    monkeypatch.setattr(outages, "_STEADY", 0.0)
    outage = outages.of_redis("redis://127.0.0.1")
    outage.record_failure("has no memory left")
    await reports.RelayReporter(redis, "one", a_worker("one").relays.shared.states, outage).publish()
    assert [record.event for record in caplog.records] == ["redis.unavailable", "redis.available"]


async def test_last_and_tries(terminal: Terminal, pool: Pool, ann: users.User):
    """LAST of a sent mail is its sending, whatever was before; what no relay was asked to take has no try."""
    relay = {"worker": "web-1", "server": "relay.test:587"}
    sent = await request_mail(pool, state="sent", attempts=2, last_code=250)
    await happened(pool, sent, "waits", 1, **relay, stage="rcpt", code=451, fault="4.7.1 greylisted")
    await happened(pool, sent, "sent", 2, **relay, code=250, fault="2.0.0 queued")
    void = await request_mail(
        pool, "nobody@example.com", state="void", attempts=1, last_fault="no account has this address"
    )
    await happened(pool, void, "void", 1, worker="web-1", fault="no account has this address")
    expired = await request_mail(pool, state="expired", attempts=3, last_code=451)
    await happened(pool, expired, "waits", 2, **relay, stage="rcpt", code=451, fault="4.7.1 greylisted")
    await happened(pool, expired, "expired", 3, worker="web-1", fault="it could not be sent while it was of use")
    cancelled = await request_mail(pool, state="cancelled", attempts=1, last_fault="an operator cancelled it")
    await happened(pool, cancelled, "waits", 1, **relay, stage="rcpt", code=451, fault="4.7.1 greylisted")
    await happened(pool, cancelled, "cancelled", 1, fault="an operator cancelled it")
    lost = await request_mail(pool, state="pending", attempts=1)
    await happened(pool, lost, "lost", 1, worker="web-1")
    await happened(pool, lost, "retried", 1)
    older = await request_mail(pool, state="sent", attempts=1, last_code=250)  # by a worker that left no event
    await pool.execute("update mails set ended_at = now() where state not in ('pending', 'sending')")
    _, out, _ = await terminal("list")
    rows = {row.split()[0]: row.split(maxsplit=8) for row in out.splitlines()[1:]}
    shown = {mail: (rows[str(mail)][6], rows[str(mail)][8:]) for mail in (sent, void, expired, cancelled, lost, older)}
    assert shown == {
        sent: ("2", ["sent 250 2.0.0 queued"]),
        void: ("0", ["no account has this address"]),
        expired: ("2", ["it could not be sent while it was of use"]),
        cancelled: ("1", ["an operator cancelled it"]),
        lost: ("1", ["lost"]),
        older: ("1", ["250"]),
    }
    for mail, line in ((void, "web-1: void (no account has this address)"),
                       (expired, "web-1: expired (it could not be sent while it was of use)"),
                       (cancelled, "cancelled (an operator cancelled it)")):  # fmt: skip
        assert (await terminal("show", mail))[1].splitlines()[-1].endswith(f"Z  {line}")


async def test_an_empty_outbox_can_be_looked_at(terminal: Terminal, pool: Pool):
    """An empty outbox has an empty list and status, not an error."""
    assert await terminal.json("list") == []
    assert (await terminal.json("status"))["oldest_pending_age"] is None
    assert (await terminal("status"))[1].splitlines()[0] == "mails: none"
    assert (await terminal("list"))[0] == 0
    assert (await terminal.json("retry", "--state", "failed")) == {"retried": [], "refused": [], "dry_run": False}
    assert await outbox_admin.page(pool, MailFilter(), after=None, most=1) == []


@pytest.mark.parametrize(("program", "notice"), [("service", ""), ("worker", "is `python -m service mails` now")])
def test_it_runs_as_a_program(database: str, redis_url: str, program: str, notice: str):
    """`python -m service mails` answers beside any worker; under the old name it does so for one more release."""
    environment = {"DATABASE_URL": database, "REDIS_URL": redis_url}
    for words, wanted in ((["mails", "status", "--json"], "last_hour"), (["--help"], "mails")):
        done = subprocess.run(
            [sys.executable, "-m", program, *words],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert (done.returncode, wanted in done.stdout) == (0, True), done.stderr
        assert notice in done.stderr if words[0] == "mails" else not done.stderr
