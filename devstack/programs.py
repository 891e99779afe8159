"""The programs of the demo."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from devstack.children import Program

PROJECT = "demo"
PROVIDER = "oidc-demo"


@dataclass(frozen=True, slots=True)
class Commands:
    """Words of each command; tests put others in their place."""

    prepare: tuple[str, ...] = (sys.executable, "-m", "devstack.prepare")
    api: tuple[str, ...] = (sys.executable, "-m", "service", "serve")
    worker: tuple[str, ...] = (sys.executable, "-m", "worker")


OURS = Commands()


def list_programs(commands: Commands, env: Mapping[str, str], *, logs: Path) -> tuple[Program, ...]:
    """List what runs beside the servers, in the order of start; a further program is one more entry here.

    The supervisor starts each, waits until it is ready, shows its log and, if it has one, its address (`url`), starts
    it again when it ends, and stops it at Ctrl-C.
    """
    heartbeat = Path(env["WORKER_HEARTBEAT"])
    # One of an earlier run would pass for a live worker.
    heartbeat.unlink(missing_ok=True)
    return (
        Program(
            "worker",
            commands.worker,
            env=env,
            log=logs / "worker.log",
            ready=lambda: asyncio.to_thread(heartbeat.exists),
        ),
        Program(
            "API",
            commands.api,
            env=env,
            log=logs / "api.log",
            ready=lambda: answers(f"http://127.0.0.1:{env['HEALTH_PORT']}/ready"),
        ),
    )


async def answers(url: str) -> bool:
    """Tell whether a GET of the address is answered 200."""
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session, session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
