"""Verification of the security log: each chain from its start, row by row, to its checkpoints and its end."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from service.crypto import log_checkpoints, log_hashes
from service.db import Connection, Executor, Pool, transaction
from service.store import log_chain
from service.store import log_checkpoints as stored
from service.store.log_chain import Chain, ChainedRow

if TYPE_CHECKING:
    from service.store.log_checkpoints import Checkpoint

# A row without personal values has this many empty ones after its user, who is none.
_BLANK = (None, *[""] * (len(log_chain.PERSONAL) - 1))
# Two workers may sign one after the other; only the first checkpoint of a row is kept.
_LATE = timedelta(hours=1)
# For so long after the first checkpoint workers of an older release may file rows in no chain.
_UPGRADE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Keys:
    """Public keys of checkpoints: those of SECRET_KEYS by kid, and former ones that the operator has kept."""

    current: Mapping[str, log_checkpoints.PublicKey]
    former: Sequence[log_checkpoints.PublicKey] = ()

    def fault(self, checkpoint: "Checkpoint") -> str | None:
        """Return what is wrong with a checkpoint's signature."""
        known = [self.current[checkpoint.kid]] if checkpoint.kid in self.current else self.former
        name = f"the checkpoint of row {checkpoint.number}"
        if not known:
            return f"{name} needs the public key {checkpoint.kid}: --public-key FILE"
        if not log_checkpoints.is_signed(checkpoint, checkpoint.signature, known):
            return f"{name} has a wrong signature"
        return None


@dataclass(slots=True)
class Report:
    """Findings in a chain: rows that are right, those of them that were erased, and the first fault.

    `month` is empty for rows in no chain; `since` and `until` say of when those are.
    """

    month: str
    rows: int = 0
    erased: int = 0
    checkpoints: int = 0
    fault: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Broken(Exception):
    """The chain is not as it was written; the message names the row."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The hash that a row had, as is known from elsewhere."""

    hash: bytes
    source: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project's chains with all that is known of them."""

    id: str
    chains: Sequence[Chain]
    checkpoints: Sequence["Checkpoint"]
    keys: Keys
    # The oldest month that retention leaves.
    first_month: str
    marks: dict[str, dict[int, list[Mark]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def __post_init__(self) -> None:
        for each in self.checkpoints:
            self.marks[each.month][each.number].append(Mark(each.hash, "the checkpoint"))
        for chain in self.chains:
            if chain.previous:
                month, number, before = chain.previous
                self.marks[month][number].append(Mark(before, f"the start of {chain.month}"))


async def load(conn: Executor, project_id: str, keys: Keys, *, months: int) -> Project:
    """Read all of a project's chains and checkpoints; `months` are how long rows are kept."""
    first = await log_chain.first_month(conn, months=months)
    chains = [chain for chain in await log_chain.chains(conn, project_id) if chain.month >= first]
    return Project(project_id, chains, await stored.of_project(conn, project_id), keys, first)


async def verify(pool: Pool, project: Project, only: str | None = None) -> AsyncIterator[Report]:
    """Yield a report for each chain; then those of months whose chain is gone, and of rows in no chain."""
    found = [chain.month for chain in project.chains]
    for month in found:
        if only in (None, month):
            async with transaction(pool, project.id) as tx:
                report = await _verify(tx, project, month)
            yield report
    for gone in sorted(project.marks.keys() - set(found)):
        if gone >= project.first_month and only in (None, gone):
            yield Report(gone, fault="the chain of this month is gone")
    if only is None:
        async with transaction(pool, project.id) as tx:
            outside = await log_chain.unchained(tx, project.id, first_month=project.first_month, months=found)
        for report in _outside(project, outside):
            yield report


def _outside(project: Project, found: log_chain.Unchained) -> Iterator[Report]:
    if found.rows:
        first = min((each.at for each in project.checkpoints), default=None)
        late = first is not None and found.newest is not None and found.newest > first + _UPGRADE
        fault = "rows came into no chain long after the first checkpoint" if late else None
        yield Report("", rows=found.rows, since=found.oldest, until=found.newest, fault=fault)
    if found.astray:
        yield Report("", rows=found.astray, fault="the rows have links of a chain that is gone")
    known = {chain.month for chain in project.chains}
    for each in project.checkpoints:
        if each.month not in known and (fault := project.keys.fault(each)):
            yield Report(each.month, fault=fault)


async def _verify(conn: Connection, project: Project, month: str) -> Report:
    report = Report(month)
    try:
        await _follow(conn, project, report)
        for checkpoint in project.checkpoints:
            if checkpoint.month == month:
                _demand(project.keys.fault(checkpoint))
                report.checkpoints += 1
        for chain in project.chains:
            if chain.month == month:
                _demand(_signing_fault(chain, project.checkpoints))
    except Broken as broken:
        report.fault = str(broken)
    return report


def _signing_fault(chain: Chain, checkpoints: Sequence["Checkpoint"]) -> str | None:
    """Return what would keep workers from signing, or says that a checkpoint is gone."""
    newest = {each.number: each.at for each in checkpoints if each.month == chain.month}.get(chain.signed_number)
    if newest is None:
        return f"the checkpoint of row {chain.signed_number} is gone" if chain.signed_number else None
    late = chain.signed_at is None or chain.signed_at - newest > _LATE
    return (
        f"the checkpoint of row {chain.signed_number} was signed at another time than its chain says" if late else None
    )


async def _follow(conn: Connection, project: Project, report: Report) -> None:
    """Go from row to row. Raises Broken at the first that is not as it was written."""
    chain = await log_chain.find_in_snapshot(conn, project.id, report.month)
    if chain is None:
        raise Broken("the chain of this month went while it was verified")
    _demand(not log_chain.MONTH.fullmatch(chain.month) and f"{chain.month!r} is no month")
    marks = project.marks.get(chain.month, {})
    before = log_hashes.start(project.id, chain.month, chain.previous)
    async for row in log_chain.read(conn, project.id, chain):
        before = check_row(row, report.rows + 1, before)
        for mark in marks.get(row.chain_number or 0, ()):
            _demand(mark.hash != before and f"{_name(row)} has another hash than {mark.source} says")
        report.rows += 1
        report.erased += row.erased is not None
    _demand(report.rows < chain.number and f"rows {report.rows + 1} to {chain.number} are missing")
    _demand(report.rows > chain.number and f"rows {chain.number + 1} to {report.rows} are not of the chain")
    _demand(before != (chain.hash or before) and "the chain's end has another hash than its last row")
    _demand(chain.number and not chain.hash and "the chain's end has no hash")
    latest = max(marks, default=0)
    _demand(latest > chain.number and f"rows {chain.number + 1} to {latest} are missing, of which a checkpoint knows")


def check_row(row: ChainedRow, number: int, before: bytes) -> bytes:
    """Return the row's hash, made anew. Raises Broken."""
    if row.chain_number != number:
        late = (row.chain_number or 0) > number
        raise Broken(f"row {number} is missing before {row.id}" if late else f"{_name(row)} is there twice")
    digest = log_hashes.link(before, number, row.id, row.at, row.name, _personal_digest(row))
    _demand(digest != row.hash and f"{_name(row)} was changed")
    return digest


def _personal_digest(row: ChainedRow) -> bytes:
    if row.erased is None:
        _demand(row.salt is None and f"{_name(row)} has no salt")
        return log_hashes.personal_digest(row.salt or b"", row.personal)
    _demand(row.salt is not None and f"{_name(row)} is erased and has a salt")
    _demand(row.personal != _BLANK and f"{_name(row)} is erased and has personal values")
    return row.erased


def _name(row: ChainedRow) -> str:
    return f"row {row.chain_number} ({row.id})"


def _demand(fault: str | bool | int | None) -> None:
    if fault:
        raise Broken(str(fault))
