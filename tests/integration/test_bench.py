"""The benchmark can be trusted to run; what it measures is read by people."""

import asyncio
import os
import re
import signal
import sys

from devstack.servers import tied
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
    "memory of the API, after the reads",
    "memory of the worker",
)


async def test_the_quick_bench_prints_every_row():
    """`python -m bench --quick` needs nothing but the test set, ends by itself, and has a figure in each row."""
    process = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL), sys.executable, "-m", "bench", "--quick",
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    table, progress = (text.decode() for text in await process.communicate())
    assert process.returncode == 0, progress
    for row in ROWS:
        assert re.search(rf"^{re.escape(row)} +\d", table, re.MULTILINE), (row, table)
    assert len(re.findall(r"by processor time alone +\d", table)) == 8
