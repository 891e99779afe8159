"""G11: addresses that another parser reads as another host, judged by a browser's own parser (WHATWG)."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.resilience import redirect_vectors
from bench.resilience.redirect_vectors import GOOD, HOSTNAMES
from bench.resilience.result import Row
from service.links import link_builder, redirect_policy
from testkit.node import node

COUNT = 20_000
_ORACLE = Path(__file__).parent / "whatwg.mjs"
_PROOF = {"userId": "ann", "secret": "f" * 8, "expire": "1"}


@dataclass(frozen=True, slots=True)
class Judged:
    """Result; `wrong` are addresses that we would mail and a browser opens elsewhere, or reads another secret from."""

    tried: int
    allowed: int
    wrong: list[str]
    refused_good: list[str]


async def judge(count: int, seed: int) -> Judged:
    """Compare our reading of `count` addresses with a browser's."""
    tried = redirect_vectors.vectors(count, seed)
    allowed = [url for url in [*tried, *GOOD] if _passes(url)]
    read = await _browser([text for url in allowed for text in (url, link_builder.build(url, _PROOF))])
    wrong = [url for url, bare, mailed in zip(allowed, read[::2], read[1::2], strict=True) if not _agrees(bare, mailed)]
    return Judged(len(tried), len(allowed), wrong, [url for url in GOOD if url not in allowed])


def _passes(url: str) -> bool:
    try:
        return redirect_policy.check(url, HOSTNAMES) == url
    except ValueError:
        return False


def _agrees(bare: Any, mailed: Any) -> bool:
    """Return whether a browser opens both at one listed host, stably, and reads exactly our secret."""
    if not bare or not mailed or bare["host"] != mailed["host"] or mailed["secrets"] != [_PROOF["secret"]]:
        return False
    host = bare["host"]
    safe = bare["scheme"] == "https:" or host in ("localhost", "127.0.0.1", "[::1]")
    listed = redirect_policy.host_allowed(host, HOSTNAMES)
    return bool(
        safe and listed and not bare["user"] and bare["href"] == bare["again"] and mailed["href"] == mailed["again"]
    )


async def _browser(urls: list[str]) -> list[Any]:
    """Parse all addresses as a browser does, in one process."""
    program = await asyncio.create_subprocess_exec(
        node(), _ORACLE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    written, _ = await program.communicate("".join(json.dumps(url) + "\n" for url in urls).encode())
    return [json.loads(line) for line in written.splitlines()]


async def measure(count: int, seed: int) -> list[Row]:
    judged = await judge(count, seed)
    return [
        Row("addresses tried", f"{judged.tried:,}", "at least 2,000", met=judged.tried >= 2000),
        Row("of them we would mail", f"{judged.allowed:,}"),
        Row("that a browser reads differently", str(len(judged.wrong)), "0", met=not judged.wrong),
        Row(f"of {len(GOOD)} good ones refused", str(len(judged.refused_good)), "0", met=not judged.refused_good),
    ]
