"""The benchmark can be trusted to run; what it measures is read by people."""

import asyncio
import os
import re
import signal
import sys

import pytest

from bench.growth_cases import LEFT_OUT
from bench.peers.acts import ACTS
from bench.peers.catalogue import PEERS
from bench.peers.mailed import MAILED
from devstack.servers import tied
from service.db import SQL, Queries
from testkit.processes import ROOT

ROWS = (
    "POST recovery, ours/bare",
    "sign-up without hash, ours/bare",
    "sign-in without hash, ours/bare",
    "PUT recovery without hash, ours/bare",
    "GET /v1/account by cookie, ours/bare",
    "GET /v1/account by jwt, ours/bare",
    "verification mails, ours/bare",
    "recovery mails, ours/bare",
    "201 to the final dot, idle: p50",
    "201 to the final dot, idle: p99",
    "  8 clients: p99",
    "  8 clients: enqueued",
    "  32 clients: p99",
    "  32 clients: enqueued",
    "  64 clients: p99",
    "  64 clients: enqueued",
    "  80 % of saturation: p99",
    "  80 % of saturation: enqueued",
    "rows of the security log, one worker",
    "mails by 1 worker",
    "mails by 2 workers/by 1",
    "mails by 4 workers/by 1",
    "memory of the API, after the reads",
    "GET /v1/account, idle: p99",
    "  while passwords are hashed: p99",
    "  the second by the first",
    "  sign-ins meanwhile",
    "memory of the worker",
)


async def bench(*words: str, module: str = "bench") -> str:
    """Run the bench to its end; return its table."""
    process = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL), sys.executable, "-m", module, *words,
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    table, progress = (text.decode() for text in await process.communicate())
    assert process.returncode == 0, progress
    return table


async def test_the_quick_bench_prints_every_row():
    """`python -m bench --quick` needs nothing but the test set, ends by itself, and has a figure in each row."""
    table = await bench("--quick")
    for row in ROWS:
        assert re.search(rf"^{re.escape(row)} +\d", table, re.MULTILINE), (row, table)
    assert len(re.findall(r"by processor time alone +\d", table)) == 8


async def test_the_quick_bench_of_growth_measures_every_statement():
    """`python -m bench --growth --quick` has a row for each statement and each act, and ends by itself."""
    table = await bench("--growth", "--quick")
    assert "not measured" not in table
    measured = {row.split(":")[0].split()[0] for row in table.splitlines() if re.search(r"(met|MISSED)$", row)}
    for path in (SQL / "queries").glob("*.sql"):
        missing = {f"{path.stem}.{name}" for name in Queries(path.stem).statements} - measured - LEFT_OUT
        assert not missing, "add facts to bench/growth_cases.py"
    assert len(re.findall(r"(?:hash|recovery|cookie) +[0-9. ]+ (?:met|MISSED)$", table, re.MULTILINE)) == 5


async def test_the_quick_bench_of_being_seen_prints_every_row():
    """`python -m bench --observed` compares a read and a write that are scraped or traced with one that is neither."""
    table = await bench("--observed", "--quick")
    for side in ("scraped", "traced, sampled 0", "traced, sampled 0.01", "traced, sampled 1"):
        assert len(re.findall(rf"^  {re.escape(side)} +\d", table, re.MULTILINE)) == 2, table
    assert re.search(r"^a page of metrics +\d", table, re.MULTILINE)


async def test_the_quick_bench_of_scale_prints_every_row():
    """`python -m bench.scale --quick` has a figure for each act, part and table."""
    table = await bench("--quick", module="bench.scale")
    for act in ("sign-up", "sign-in", "read", "mail"):
        assert len(re.findall(rf"^{act}: (?:API|worker|Postgres|WAL) +\d", table, re.MULTILINE)) == 4, table
    assert len(re.findall(r"^a row of \w+, with indexes +\d", table, re.MULTILINE)) == 7
    assert re.search(r"^a password hash +\d", table, re.MULTILINE)


@pytest.mark.skipif(
    not any(peer.is_installed for peer in PEERS), reason="peers are installed by ./dev bench --peers only"
)
async def test_the_quick_bench_of_peers_prints_every_row():
    """`python -m bench --peers --quick` compares us with each peer that is installed, in each act."""
    table = await bench("--peers", "--quick")
    acts = (*ACTS, MAILED)
    for peer in PEERS:
        if not peer.is_installed:
            assert f"{peer.name}: NOT MEASURED" in table
            continue
        for act in acts:
            assert re.search(rf"^{act}, {peer.name} +\d", table, re.MULTILINE), (act, peer.name, table)
        assert len(re.findall(rf"ours/{peer.name} +\d", table)) == len(acts)
        assert re.search(rf"^hash of a password, {peer.name} +\d", table, re.MULTILINE)
