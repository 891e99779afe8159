"""Everything the service needs on one machine, started in order and ended in reverse by one Ctrl-C."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from devstack import servers
from devstack.mailbox import open_mailbox
from devstack.ports import free
from devstack.programs import Program, call, until_ready
from devstack.servers import Server, ServerError, last_lines
from devstack.terminal import how_ended, print_line, welcome

PROJECT = "demo"
# What `projects create` exits with when the project is there.
EXISTS = 3


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports to try first; what is taken gives way to the next free one."""

    api: int = 8080
    page: int = 8025
    smtp: int = 1025


@dataclass(frozen=True, slots=True)
class Commands:
    """The programs under supervision; tests put others in their place."""

    migrate: tuple[str, ...] = (sys.executable, "-m", "service", "migrate")
    create_project: tuple[str, ...] = (
        *(sys.executable, "-m", "service", "projects", "create", PROJECT),
        *("--name", "Demo", "--json"),
    )
    allow_localhost: tuple[str, ...] = (*(sys.executable, "-m", "service", "platforms", "add", PROJECT, "localhost"),)
    api: tuple[str, ...] = (sys.executable, "-m", "service", "serve")
    worker: tuple[str, ...] = (sys.executable, "-m", "worker")


class AlreadyRunning(Exception):
    """Another supervisor holds the state folder; the message says where it is reached."""


async def run(state: Path, *, ports: Ports = Ports(), commands: Commands = Commands()) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP (exit status 0), or until something can't be had (1)."""
    _obey_signals()
    state = _folder(state)
    try:
        with _alone(state) as announce:
            async with AsyncExitStack() as stack:
                await _open(stack, state, ports=ports, commands=commands, announce=announce)
    except asyncio.CancelledError:
        return 0
    except (AlreadyRunning, ServerError) as error:
        print_line(str(error))
    return 1


async def _open(
    stack: AsyncExitStack, state: Path, *, ports: Ports, commands: Commands, announce: Callable[[str], None]
) -> None:
    """Start one thing after the other and stay; the stack is closed in reverse."""
    print_line("Starting Postgres and Valkey ...")
    postgres = servers.start_postgres(state)
    stack.callback(postgres.stop)
    valkey = servers.start_valkey(state)
    stack.callback(valkey.stop)
    smtp, page = free(ports.smtp, "SMTP"), free(ports.page, "the mailbox")
    mailbox = await stack.enter_async_context(open_mailbox(smtp_port=smtp, page_port=page, folder=state / "mails"))
    env = _environment(state, postgres, valkey, smtp=mailbox.smtp_port, api=free(ports.api, "the API"))
    print_line("Migrating, starting the API and a worker ...")
    await call(commands.migrate, env=env)
    await call(commands.create_project, env=env, fine=(0, EXISTS))
    await call(commands.allow_localhost, env=env)
    worker = Program("worker", commands.worker, env=env, log=state / "log" / "worker.log")
    api = Program("API", commands.api, env=env, log=state / "log" / "api.log")
    for program in (worker, api):
        await program.start()
        stack.push_async_callback(program.stop)
    await until_ready(worker, lambda: _exists(Path(env["WORKER_HEARTBEAT"])))
    await until_ready(api, lambda: _answers(f"http://127.0.0.1:{env['HEALTH_PORT']}/ready"))
    announce(env["PUBLIC_URL"])
    welcome(state, PROJECT, api=env["PUBLIC_URL"], page=mailbox.page_port, smtp=mailbox.smtp_port)
    keepers = [asyncio.create_task(program.keep()) for program in (worker, api)]
    stack.callback(lambda: [keeper.cancel() for keeper in keepers])
    await _outlive((postgres, valkey), keepers)


def _environment(state: Path, postgres: Server, valkey: Server, *, smtp: int, api: int) -> dict[str, str]:
    """Build the programs' settings: ours where they name what we started, else the caller's."""
    heartbeat = state / "worker.heartbeat"
    # One of an earlier run would pass for a live worker.
    heartbeat.unlink(missing_ok=True)
    return {
        **os.environ,
        "DATABASE_URL": servers.create_database(postgres, "accounts"),
        "REDIS_URL": valkey.url,
        "SMTP_URL": f"smtp://127.0.0.1:{smtp}?tls=none",
        "PUBLIC_URL": f"http://localhost:{api}",
        "SECRET_KEYS": _secret_keys(state / "secret_keys"),
        "HOST": "127.0.0.1",
        "PORT": str(api),
        "HEALTH_PORT": str(servers.free_port()),
        "WORKER_ID": "local",
        "WORKER_STATE": str(state / "worker"),
        "WORKER_HEARTBEAT": str(heartbeat),
        "PYTHONUNBUFFERED": "1",
    }


async def _outlive(running: tuple[Server, ...], keepers: list[asyncio.Task[None]]) -> None:
    """Stay while the servers do: without them nothing of the rest makes sense."""
    while all(server.running for server in running):
        ended, _ = await asyncio.wait(keepers, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        for keeper in ended:
            keeper.result()
    gone = next(server for server in running if not server.running)
    how = how_ended(gone.process.returncode)
    raise ServerError(f"{gone.name} ended by itself ({how}). Its log says:\n{last_lines(gone.log)}")


async def _answers(address: str) -> bool:
    patience = aiohttp.ClientTimeout(total=5)
    try:
        async with aiohttp.ClientSession(timeout=patience) as session, session.get(address) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _exists(path: Path) -> bool:
    return await asyncio.to_thread(path.exists)


def _folder(state: Path) -> Path:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state.resolve()


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[Callable[[str], None]]:
    """Hold the state folder until this process ends, however it ends; announce where it can be reached."""
    with (state / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(f"Already running {file.read()}") from None

        def announce(address: str) -> None:
            file.truncate(0)
            file.write(f"at {address} (process {os.getpid()}); Ctrl-C there or SIGTERM ends it.")
            file.flush()

        announce("an address not known yet")
        yield announce


def _obey_signals() -> None:
    """End the running task at the first signal; later ones don't disturb its cleanup."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    signs = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end() -> None:
        for sign in signs:
            loop.add_signal_handler(sign, lambda: None)
        print_line("Stopping ...")
        if task:
            task.cancel()

    for sign in signs:
        loop.add_signal_handler(sign, end)


def _secret_keys(path: Path) -> str:
    """Keep the secrets over restarts, or every session and link of the last run would be void."""
    if not path.exists():
        servers.write_private(path, f"local:{secrets.token_hex(32)}")
    return path.read_text()
