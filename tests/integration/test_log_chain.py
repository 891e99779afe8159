"""The chain of the security log: what was filed can't be changed, left out or added without a trace."""

import asyncio
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from asyncpg import UniqueViolationError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from service import ids
from service.cli.exit_codes import MISSING, UNWELL
from service.cli.log import verification
from service.cli.log.verification import Keys, Report
from service.clientinfo import user_agents
from service.crypto import log_checkpoints as signatures
from service.crypto.log_checkpoints import Stand
from service.db import Pool, transaction
from service.settings import Settings
from service.store import events, log_chain, log_checkpoints, security_log
from service.store.events import Actor, Event
from service.store.projects import Project
from service.store.security_log import Entry
from service.store.unit_of_work import unit_of_work
from testkit.sources import ROOT
from tests.integration.conftest import Terminal
from worker.security_log import SecurityLogWriter

NOW = datetime.now(UTC)
MONTH = f"{NOW:%Y-%m}"
CHAINS = ("log_chains", "log_checkpoints")
BLANKS = ", ".join(["''"] * 13)
EARLIER = NOW.replace(day=1) - timedelta(days=3)


async def file(pool: Pool, count: int, *, at: datetime = NOW, user_id: str = "ann") -> None:
    entries = [Entry("shop", ids.new_uuid(), user_id, "account.create", "192.0.2.1", at, "de") for _ in range(count)]
    async with transaction(pool) as tx:
        await security_log.write(tx, [(entry, user_agents.parse("curl/8.5.0")) for entry in entries])


async def verify(pool: Pool, settings: Settings, *, months: int = 12) -> list[Report]:
    keys = Keys(signatures.public_keys(settings.key_ring))
    project = await verification.load(pool, "shop", keys, months=months)
    return [report async for report in verification.verify(pool, project)]


async def faults(pool: Pool, settings: Settings) -> list[str]:
    return [report.fault for report in await verify(pool, settings) if report.fault]


def changed(value: Any) -> list[Any]:
    """The value with each of its bytes changed in turn; with one, where it has none."""
    match value:
        case bytes():
            return [value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :] for place in range(len(value))]
        case str() if value:
            return [value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :] for place in range(len(value))]
        case int():
            return [value ^ (1 << place) for place in range(0, 32, 8)]
        case datetime():
            return [value + timedelta(microseconds=1 << place) for place in range(0, 32, 8)]
        case UUID():
            return [UUID(bytes=other) for other in changed(value.bytes)]
    return ["x"]


@dataclass(frozen=True)
class Tables:
    """The three tables as they are now, to be put back as often as wanted."""

    rows: dict[str, list[dict[str, Any]]]

    @classmethod
    async def read(cls, pool: Pool) -> "Tables":
        return cls(
            {name: [dict(row) for row in await pool.fetch(f"select * from {name}")] for name in ("logs", *CHAINS)}
        )

    async def restore(self, pool: Pool) -> None:
        for name, rows in self.rows.items():
            await pool.execute(f"delete from {name}")
            for row in rows:
                places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
                await pool.execute(f"insert into {name} values ({places})", *row.values())


async def test_each_changed_byte_is_found(pool: Pool, project: Project, settings: Settings):
    """In whatever column of a row, of a chain's end and start, or of a checkpoint; nothing is found where none is."""
    await file(pool, 2, at=EARLIER)
    await file(pool, 3)
    await log_checkpoints.sign_due(pool, settings.key_ring, most=100)
    tables, tried = await Tables.read(pool), 0
    assert await faults(pool, settings) == []
    wheres = {"logs": f"chain_number = 2 and at = '{NOW}'", **dict.fromkeys(CHAINS, f"month = '{MONTH}'")}
    for table, where in wheres.items():
        for column, value in dict(await pool.fetchrow(f"select * from {table} where {where}")).items():
            if column in ("signed_number", "signed_at", "due_at") or (table, column) == (
                "log_checkpoints",
                "project_id",
            ):
                continue  # when to sign next; and a checkpoint of another project is as good as none
            for other in changed(b"" if column == "erased" else value) or [b"x" * 32]:
                try:
                    await pool.execute(f"update {table} set {column} = $1 where {where}", other)
                except UniqueViolationError:  # the other month's chain
                    continue
                assert await faults(pool, settings), f"{table}.{column} became {other!r} unseen"
                await tables.restore(pool)
                tried += 1
    assert await faults(pool, settings) == []
    assert tried > 300


async def test_the_first_row_that_is_wrong_is_named(pool: Pool, project: Project, settings: Settings):
    """Changed, left out, put in, moved to another place; and rows at the end of which a checkpoint knows."""
    await file(pool, 4)
    await log_checkpoints.sign_due(pool, settings.key_ring, most=100)
    tables = await Tables.read(pool)
    row = {row["chain_number"]: row["id"] for row in tables.rows["logs"]}
    for statement, fault in {
        "update logs set name = 'account.delete' where chain_number = 3": f"row 3 ({row[3]}) was changed",
        "delete from logs where chain_number = 2": f"row 2 is missing before {row[3]}",
        "delete from logs where chain_number = 4": "rows 4 to 4 are missing",
        "update logs set chain_number = 7 - chain_number where chain_number in (3, 4)": f"row 3 ({row[4]}) was changed",
        "update log_chains set number = 3, hash = (select hash from logs where chain_number = 3)": (
            "rows 4 to 4 are not of the chain"
        ),
        "delete from log_chains": "the chain of this month is gone",
        "update logs set erased = salt, salt = null where chain_number = 1": (
            f"row 1 ({row[1]}) is erased and has personal values"
        ),
    }.items():
        await pool.execute(statement)
        assert (await faults(pool, settings))[0] == fault, statement
        await tables.restore(pool)
    await pool.execute("delete from logs where chain_number = 4")
    await pool.execute("update log_chains set number = 3, hash = (select hash from logs where chain_number = 3)")
    assert await faults(pool, settings) == ["rows 4 to 4 are missing, of which a checkpoint knows"]


async def test_a_chain_made_anew_has_another_hash_than_its_checkpoint(pool: Pool, project: Project, settings: Settings):
    """All hashes can be made anew by whoever writes to Postgres, but not the signature of what stood there before."""
    await file(pool, 3)
    await log_checkpoints.sign_due(pool, settings.key_ring, most=100)
    rows = await pool.fetch("select id, at from logs order by chain_number")
    await pool.execute("delete from log_chains")
    await pool.execute("delete from logs")
    entries = [Entry("shop", row["id"], "bob", "account.create", "192.0.2.1", row["at"], "de") for row in rows]
    async with transaction(pool) as tx:
        await security_log.write(tx, [(entry, user_agents.parse("curl/8.5.0")) for entry in entries])
    assert await faults(pool, settings) == [f"row 3 ({rows[2]['id']}) has another hash than the checkpoint says"]


async def test_workers_side_by_side_write_one_chain(pool: Pool, project: Project, settings: Settings):
    """However many file at once, and whatever was filed before: a row stands once, and the chain is whole."""
    async with unit_of_work(pool, None) as tx:
        for _ in range(150):
            await events.record(tx, "shop", event=Event.SESSION_CREATE, user_id="ann", by=Actor("192.0.2.1", ""))
    pending = await pool.fetchrow("select id, at from events order by at, id offset 7 limit 1")
    entry = Entry("shop", pending["id"], "ann", "account.sessions.create", "", pending["at"], "--")
    async with transaction(pool) as tx:
        await security_log.write(tx, [(entry, user_agents.parse(""))])
    await asyncio.gather(*(SecurityLogWriter(pool).write_pending() for _ in range(4)))
    assert [(report.rows, report.fault) for report in await verify(pool, settings)] == [(150, None)]


async def test_months_that_are_dropped_leave_the_others_whole(pool: Pool, project: Project, settings: Settings):
    """A chain starts where that of the month before stood; gone within its time it is missed, after that it is not."""
    await file(pool, 2, at=EARLIER)
    await file(pool, 2)
    assert [report.rows for report in await verify(pool, settings)] == [2, 2]
    await pool.execute("delete from logs where at = $1", EARLIER)
    await pool.execute("delete from log_chains where month < $1", MONTH)
    assert await faults(pool, settings) == ["the chain of this month is gone"]
    assert [(report.month, report.fault) for report in await verify(pool, settings, months=0)] == [(MONTH, None)]
    assert await log_chain.delete_old(pool, months=0, most=9) == 0


async def test_rows_of_before_and_of_an_old_worker_are_told(pool: Pool, project: Project, settings: Settings):
    """They have no hash: outside the chain, which goes on between them."""
    await file(pool, 1)
    await pool.execute(f"insert into logs select 'shop', $1, 'ann', 'x', '', now(), {BLANKS}", ids.new_uuid())
    await file(pool, 1)
    assert [(report.month, report.rows, report.fault) for report in await verify(pool, settings)] == [
        (MONTH, 2, None),
        ("", 1, None),
    ]


async def test_a_row_in_no_chain_is_a_fault_long_after_the_first_checkpoint(
    pool: Pool, project: Project, settings: Settings
):
    """Whoever writes to Postgres can leave the chain out; a worker of an older release does so for a week at most."""
    await file(pool, 1)
    await log_checkpoints.sign_due(pool, settings.key_ring, most=100)
    (signed,) = await log_checkpoints.of_project(pool, "shop")
    old = Stand(signed.project_id, signed.month, signed.number, signed.hash, NOW - timedelta(days=8))
    _, signature = signatures.sign(settings.key_ring, old)
    await pool.execute("update log_checkpoints set at = $1, signature = $2", old.at, signature)
    await pool.execute("update log_chains set signed_at = $1", old.at)
    for days, fault in ((2, None), (0, "rows came into no chain long after the first checkpoint")):
        at = NOW - timedelta(days=days)
        await pool.execute(f"insert into logs select 'shop', $1, 'ann', 'x', '', $2, {BLANKS}", ids.new_uuid(), at)
        assert (await verify(pool, settings))[-1].fault == fault


async def test_erasing_a_user_keeps_the_chain(type_: Terminal, pool: Pool, project: Project, settings: Settings):
    """No value and no salt stays, so nothing can be tried against the digest; rows of others are as they were."""
    await file(pool, 2)
    await file(pool, 1, user_id="bob")
    for _ in range(2):
        assert (await type_("users", "erase", "shop", "ann", "--yes"))[0] == 0
    rows = await pool.fetch("select * from logs where user_id is null")
    assert await log_chain.erase_rows(pool, "shop", [row["id"] for row in rows]) == 2
    for row in rows:
        kept = {name for name, value in row.items() if value not in (None, "")}
        assert kept == {"project_id", "id", "name", "at", "chain_number", "hash", "erased"}
    (report,) = await verify(pool, settings)
    assert (report.rows, report.erased, report.fault) == (3, 2, None)


async def test_an_operator_verifies_and_takes_the_key_elsewhere(
    type_: Terminal, pool: Pool, project: Project, settings: Settings, tmp_path: Path
):
    """Code 7 and the row where a chain is broken; checkpoints hold under the public key alone, as openssl has it."""
    await file(pool, 2)
    assert await log_checkpoints.sign_due(pool, settings.key_ring, most=100) == 1
    assert await log_checkpoints.sign_due(pool, settings.key_ring, most=100) == 0, "once a day"
    (row,) = await type_.json("log", "verify", "--project", "shop")
    assert (row["rows"], row["checkpoints"], row["state"]) == (2, 1, "whole")
    (checkpoint,) = await type_.json("log", "checkpoints", "shop")
    pem = (await type_("log", "public-key"))[1]
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(bytes.fromhex(checkpoint["signature"]), checkpoint["text"].encode())
    (tmp_path / "former.pem").write_text(pem)
    await pool.execute("update log_checkpoints set kid = 'former'")
    code, out, _ = await type_("log", "verify")
    assert (code, "needs the public key former" in out) == (UNWELL, True)
    assert (await type_("log", "verify", "--public-key", str(tmp_path / "former.pem")))[0] == 0
    await pool.execute("update logs set ip = '192.0.2.9' where chain_number = 2")
    code, out, _ = await type_("log", "verify", "--month", MONTH)
    assert (code, "row 2 (" in out, "was changed" in out) == (UNWELL, True, True)
    assert (await type_("log", "verify", "--month", "2020-01"))[0] == MISSING
    assert (await type_("log", "public-key", "other"))[0] == MISSING


async def test_a_checkpoint_that_nobody_signs_is_told(
    type_: Terminal, pool: Pool, project: Project, settings: Settings
):
    """Due with the first row, then with the first of a later day; by metric and doctor as long as it is not signed."""
    assert await log_checkpoints.overdue(pool) == 0
    await file(pool, 1)
    await pool.execute("update log_chains set due_at = now() - interval '3 hours'")
    await file(pool, 1)
    assert 3 * 3600 <= await log_checkpoints.overdue(pool) < 4 * 3600
    _, out, err = await type_("doctor", "--json")
    assert "a checkpoint has been due for 3 hours" in out + err
    await log_checkpoints.sign_due(pool, settings.key_ring, most=100)
    assert (await pool.fetchrow("select due_at from log_chains"))["due_at"] is None
    await file(pool, 1)
    tomorrow = "(date_trunc('day', signed_at at time zone 'UTC') + interval '1 day') at time zone 'UTC'"
    assert (await pool.fetchrow(f"select due_at = {tomorrow} as set from log_chains"))["set"]
    assert await log_checkpoints.overdue(pool) == 0
    # As an earlier release signs, and then days pass.
    await pool.execute("update log_chains set signed_number = number, signed_at = now() - interval '9 days'")
    await pool.execute("update log_chains set due_at = now() - interval '9 days'")
    assert await log_checkpoints.overdue(pool) == 0
    await file(pool, 1)
    assert await log_checkpoints.overdue(pool) < 3600


async def test_openssl_verifies_a_checkpoint(
    type_: Terminal, pool: Pool, project: Project, settings: Settings, tmp_path: Path
):
    """By the page's line, after what jq and xxd take out of the JSON; not when a character of the text is another."""
    await file(pool, 2)
    await log_checkpoints.sign_due(pool, settings.key_ring, most=100)
    (checkpoint,) = await type_.json("log", "checkpoints", "shop")
    (tmp_path / "log.pem").write_text((await type_("log", "public-key"))[1])
    (tmp_path / "signature").write_bytes(bytes.fromhex(checkpoint["signature"]))
    (line,) = re.findall(r"^openssl pkeyutl .*$", (ROOT / "docs" / "security-log.md").read_text(), re.MULTILINE)
    for text, code in ((checkpoint["text"], 0), (checkpoint["text"].replace("rows 2", "rows 3"), 1)):
        (tmp_path / "text").write_text(text)
        done = await asyncio.to_thread(subprocess.run, line.split(), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr


async def test_what_somebody_may_try_who_writes_to_postgres(pool: Pool, project: Project, settings: Settings):
    """To take a month away, renumber rows, keep workers from signing, move checkpoints: each is found."""
    earliest = EARLIER.replace(day=1) - timedelta(days=3)
    for at in (earliest, EARLIER, NOW):
        await file(pool, 3, at=at)
    await log_checkpoints.sign_due(pool, settings.key_ring, most=100)
    tables, months = await Tables.read(pool), [f"{at:%Y-%m}" for at in (earliest, EARLIER, NOW)]
    row = {row["chain_number"]: row["id"] for row in tables.rows["logs"] if row["at"] == NOW}
    taken = "".join(f"delete from {table} where month = '{months[1]}'; " for table in CHAINS)
    taken += f"delete from logs where at = '{EARLIER}'; "
    joined = (
        "update log_chains set (previous_month, previous_number, previous_hash) = "
        f"(select month, number, hash from log_chains where month = '{months[0]}') where month = '{MONTH}'"
    )
    put_off = "was signed at another time than its chain says"
    for statements, fault in {
        taken: "the chain of this month is gone",
        taken + joined: f"row 1 ({row[1]}) was changed",
        f"delete from logs where at = '{NOW}' and chain_number = 1; "
        f"update logs set chain_number = chain_number - 1 where at = '{NOW}'; "
        f"update log_chains set number = 2 where month = '{MONTH}'": f"row 1 ({row[2]}) was changed",
        f"update logs set chain_number = null, hash = null where at = '{NOW}' and chain_number = 2": (
            f"row 2 is missing before {row[3]}"
        ),
        "update log_chains set signed_number = 9223372036854775807": (
            "the checkpoint of row 9223372036854775807 is gone"
        ),
        "update log_chains set signed_at = now() + interval '9 years'": f"the checkpoint of row 3 {put_off}",
        "update log_checkpoints set project_id = 'other'": "the checkpoint of row 3 is gone",
        "delete from log_checkpoints": "the checkpoint of row 3 is gone",
    }.items():
        await pool.execute(statements)
        assert (await faults(pool, settings))[0] == fault, statements
        await tables.restore(pool)
    assert await faults(pool, settings) == []
