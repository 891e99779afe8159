"""Hash chain of the security log, one for each project and month, written by the worker that files the rows.

docs/decisions/0026-chain-of-the-security-log.md has the reasons.
"""

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

from service.crypto import log_hashes
from service.db import Connection, Executor, Queries

_sql = Queries("log_chain")
# Personal values of a row, in the order in which they are hashed.
PERSONAL = (
    "user_id", "ip", "country_code", "os_code", "os_name", "os_version", "client_type", "client_code", "client_name",
    "client_version", "client_engine", "client_engine_version", "device_name", "device_brand", "device_model",
)  # fmt: skip
_of_mapping, _of_row = itemgetter(*PERSONAL), attrgetter(*PERSONAL)
# Project and month.
Key = tuple[str, str]
MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
# Seconds that a chain may be sorted for, before its first row comes.
_PATIENCE = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain and its last row; without one `number` is 0. It starts where the one of an earlier month stood.

    `signed_number` and `signed_at` are those of the newest checkpoint; 0 and None before the first.
    """

    month: str
    number: int
    hash: bytes | None
    previous_month: str | None
    previous_number: int | None
    previous_hash: bytes | None
    signed_number: int
    signed_at: datetime | None

    @property
    def previous(self) -> log_hashes.Previous | None:
        if self.previous_month is None or self.previous_number is None or self.previous_hash is None:
            return None
        return self.previous_month, self.previous_number, self.previous_hash

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The times of its rows: from the first until before the second."""
        year, month = map(int, self.month.split("-"))
        begin = datetime.fromisoformat(f"{self.month}-01T00:00:00+00:00")
        return begin, begin.replace(year=year + month // 12, month=month % 12 + 1)


@dataclass(frozen=True, slots=True)
class End:
    """Number and hash of a chain's last row; before the first, `hash` is the start's and `stored` is None."""

    number: int
    hash: bytes
    stored: bytes | None


@dataclass(frozen=True, slots=True)
class ChainedRow:
    id: UUID
    at: datetime
    name: str
    user_id: str | None
    ip: str
    country_code: str
    os_code: str
    os_name: str
    os_version: str
    client_type: str
    client_code: str
    client_name: str
    client_version: str
    client_engine: str
    client_engine_version: str
    device_name: str
    device_brand: str
    device_model: str
    chain_number: int | None
    salt: bytes | None
    hash: bytes | None
    erased: bytes | None

    @property
    def personal(self) -> tuple[str | None, ...]:
        return _of_row(self)


@dataclass(frozen=True, slots=True)
class RowId:
    id: UUID


@dataclass(frozen=True, slots=True)
class Unchained:
    """Rows of a project outside its chains; `astray` ones have a hash, but their chain is gone."""

    rows: int
    oldest: datetime | None
    newest: datetime | None
    astray: int


async def lock(conn: Executor, key: Key) -> End:
    """Return the end of a chain, locked until the transaction ends; that of a new one if need be."""
    project_id, month = key
    found = await _sql.one(conn, "lock_log_chain", Chain, project_id=project_id, month=month)
    if found is None:
        await _sql.run(conn, "create_log_chain", project_id=project_id, month=month)
        found = await _sql.one(conn, "lock_log_chain", Chain, project_id=project_id, month=month)
    assert found is not None  # noqa: S101 - a chain goes long after its month, when its rows have gone
    return End(found.number, found.hash or log_hashes.start(project_id, month, found.previous), found.hash)


def link(end: End, rows: Sequence[dict[str, Any]]) -> End:
    """Give rows, in their order, what makes them links after that end; return the new one."""
    number, before = end.number, end.hash
    salts = secrets.token_bytes(log_hashes.SALT * len(rows))
    for place, row in enumerate(rows):
        salt = salts[place * log_hashes.SALT : (place + 1) * log_hashes.SALT]
        personal = log_hashes.personal_digest(salt, _of_mapping(row))
        number += 1
        before = log_hashes.link(before, number, row["id"], row["at"], row["name"], personal)
        row["chain_number"], row["salt"], row["hash"] = number, rf"\x{salt.hex()}", rf"\x{before.hex()}"
    return End(number, before, before)


async def withdraw(conn: Executor, key: Key, rows: Sequence[dict[str, Any]], end: End) -> list[dict[str, Any]]:
    """Take back the rows that this transaction has filed after that end, and return them; others stood before."""
    facts = {"project_id": key[0], "ids": [row["id"] for row in rows], "number": end.number}
    withdrawn = {row.id for row in await _sql.all(conn, "withdraw_log_rows", RowId, **facts)}
    return [row for row in rows if row["id"] in withdrawn]


def key_of(row: Mapping[str, Any]) -> Key:
    return row["project_id"], f"{row['at']:%Y-%m}"


async def chains(conn: Executor, project_id: str) -> list[Chain]:
    """List a project's chains, the oldest first."""
    return await _sql.all(conn, "list_log_chains", Chain, project_id=project_id)


async def first_month(conn: Executor, *, months: int) -> str:
    """Return the oldest month that is kept, by the database's clock."""
    return str(await _sql.value(conn, "get_first_kept_month", months=months))


async def find_in_snapshot(conn: Connection, project_id: str, month: str) -> Chain | None:
    """Find a chain, as the first act of a transaction that then reads its rows as they are at this moment."""
    await conn.execute(_sql.statements["keep_snapshot"].sql)
    await _sql.value(conn, "read_without_deadline")
    return await _sql.one(conn, "find_log_chain", Chain, project_id=project_id, month=month)


async def read(conn: Connection, project_id: str, chain: Chain) -> AsyncIterator[ChainedRow]:
    """Yield a chain's rows in their order; they are never in memory all at once."""
    since, until = chain.span
    facts = {"project_id": project_id, "since": since, "until": until}
    async for row in _sql.stream(conn, "read_log_chain", ChainedRow, timeout=_PATIENCE, **facts):
        yield row


async def unchained(conn: Executor, project_id: str, *, first_month: str, months: Sequence[str]) -> Unchained:
    """Count a project's rows outside the chains of these months, from the first month on that is kept."""
    facts = {"project_id": project_id, "first_month": first_month, "months": list(months)}
    await _sql.value(conn, "read_without_deadline")
    found = await _sql.one(conn, "get_unchained_rows", Unchained, **facts)
    assert found is not None  # noqa: S101 - a select of counts always has a row
    return found


async def rows(conn: Executor, project_id: str, row_ids: Sequence[UUID]) -> list[ChainedRow]:
    """List rows by their ids, in any order; also those in no chain."""
    return await _sql.all(conn, "list_log_rows", ChainedRow, project_id=project_id, ids=list(row_ids))


async def erase_rows(conn: Executor, project_id: str, row_ids: Sequence[UUID]) -> int:
    """Erase the personal values of rows; their digests stay, so that the chain does. Safe to repeat."""
    found = await rows(conn, project_id, row_ids)
    digests = [row.salt and log_hashes.personal_digest(row.salt, row.personal) for row in found]
    ids = [row.id for row in found]
    return await _sql.run(conn, "erase_log_rows", project_id=project_id, ids=ids, digests=digests)


async def delete_old(conn: Executor, *, months: int, most: int) -> int:
    """Delete chains whose rows are gone; `months` are how long rows are kept."""
    return await _sql.run(conn, "delete_old_log_chains", months=months, most=most)
