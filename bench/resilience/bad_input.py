"""G22: bad inputs made by hand, each with its exact answer, asked of the service at its own HTTP edge."""

import json
import time
from pathlib import Path
from typing import Any

import aiohttp

from bench.resilience import bad_inputs, redirect_vectors
from bench.resilience.ground import PROJECT, Ground, ground
from bench.resilience.result import Row
from service.db import Pool
from testkit import edge
from testkit.api_keys import key

COUNT = 1
_DATA = Path(__file__).parents[2] / "tests"
_TABLES = ("users", "sessions", "tokens", "mails", "events", "logs", "projects", "platforms")
_LOGIN = {"email": "ann@example.com", "password": "correct horse"}


async def measure(count: int, seed: int) -> list[Row]:
    """Send every row `count` times; only the redirects are random."""
    del seed
    rows = list(bad_inputs.rows())
    async with ground() as laid, edge.edge(laid.settings) as port:
        who = await _actors(laid, port)
        before = await _kept(laid.pool)
        wrong, slowest = 0, 0.0
        for _ in range(count):
            for row in rows:
                began = time.perf_counter()
                answer = await edge.ask(port, bad_inputs.request(row, who[row.who]))
                slowest = max(slowest, time.perf_counter() - began)
                wrong += not bad_inputs.fits(row, answer.status, answer.body)
        changed = await _kept(laid.pool) != before
    others = _others()
    total = len(rows) + sum(others.values())
    return [
        Row("fields of bodies", f"{len(rows):,}"),
        *(Row(name, f"{number:,}") for name, number in others.items()),
        Row("in all", f"{total:,}", "at least 5,000", met=total >= 5000),
        Row("fields that were answered otherwise", str(wrong), "0", met=wrong == 0),
        Row("rows of the database that changed", "some" if changed else "none", "none", met=not changed),
        Row("slowest answer, on a connection of its own", f"{slowest * 1000:.0f} ms"),
    ]


async def _actors(laid: Ground, port: int) -> dict[str, dict[str, str]]:
    """Make a member and a server, as the headers of their requests."""
    headers = {"X-Appwrite-Project": PROJECT}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as client:
        await client.post("/v1/account", json=_LOGIN)
        async with client.post("/v1/account/sessions", json=_LOGIN) as signed_in:
            cookie = signed_in.headers.getall("Set-Cookie")[-1].partition(";")[0]
        server = await key(laid.pool)
        await client.post("/v1/users", json={"userId": "ann", "name": "Ann"}, headers=server)
    return {"public": {}, "member": {"Cookie": cookie}, "key": server}


async def _kept(pool: Pool) -> list[str]:
    """Read the rows that no request of this figure may change."""
    found = [await pool.fetch(f"select t::text from {table} t order by 1") for table in _TABLES]
    return [row[0] for rows in found for row in rows]


def _others() -> dict[str, int]:
    """Load the corpora of other tests from their own files."""
    fields = json.loads((_DATA / "api" / "data" / "fields.json").read_text())
    return {
        "fields with their exact messages": sum(len(bad) for route in fields for bad in route["bad"].values()),
        "bodies": _length("integration/api/data/bodies.json"),
        "requests in bytes": _length("security/data/raw_requests.json"),
        "pages of strangers (CSRF)": _length("security/data/csrf.json"),
        "origins (CORS)": _length("security/data/cors.json"),
        "addresses to return to": len(redirect_vectors.seeds()),
    }


def _length(name: str) -> int:
    rows: list[Any] = json.loads((_DATA / name).read_text())
    return len(rows)
