"""Peers as processes: prepared, started on the measured core, ended with the block."""

import asyncio
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bench.ground import Ground
from bench.peers.catalogue import APPS, PYTHON_PACKAGES, Peer
from bench.peers.requests import PASSWORD
from bench.programs import Program, on_core, until
from devstack import servers
from devstack.servers import tied

_PATIENCE = 300.0


def environment_of(ground: Ground, peer: Peer, database: str) -> dict[str, str]:
    """Build the environment of a peer; without SMTP_PORT, as here, its letters are dropped."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{PYTHON_PACKAGES}:{APPS}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE_URL": database,
        "REDIS_URL": ground.environment["REDIS_URL"],
        "NODE_ENV": "production",
        "ACCESS_LOG": str(_access_log(ground, peer)),
        "PASSWORD": PASSWORD,
        "SECRET": secrets.token_hex(32),
    }


def _access_log(ground: Ground, peer: Peer) -> Path:
    return ground.state / f"{peer.name}-access.log"


async def finish(*words: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a program to its end on the measured core; return what it printed."""
    with on_core(measured=True):
        process = await asyncio.create_subprocess_exec(
            *tied(signal.SIGKILL), *words, env=environment or {"PATH": os.environ["PATH"]}, cwd=cwd,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    try:
        said, errors = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise ChildProcessError(f"{' '.join(words[-3:])} failed:\n{errors.decode()[-2000:]}")
    return said.decode()


@asynccontextmanager
async def serving(ground: Ground, peer: Peer, environment: Mapping[str, str]) -> AsyncIterator[tuple[Program, int]]:
    """Serve until the block ends; its access log, like ours, goes to a file."""
    port, log = servers.free_port(), ground.state / f"{peer.name}.log"
    with log.open("ab") as file, on_core(measured=True):
        process = await asyncio.create_subprocess_exec(
            *tied(signal.SIGTERM), *peer.server(port, _access_log(ground, peer)), env=environment,
            stdin=subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
    program = Program(process, log)

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(listens, program)
        yield program, port
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
