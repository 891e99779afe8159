"""Everything the service needs on one machine, started in order and ended in reverse by one Ctrl-C.

Longer than most files: the order is the subject, and it reads best in one piece.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import secrets
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from service.local import servers
from service.local.mailbox import open_mailbox
from service.local.servers import Server, ServerError, last_lines, open_log, tied

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "demo"
READY_PATIENCE = 60.0
STOP_PATIENCE = 20.0
# A program that lived this many seconds is restarted at once again; until then the waits double.
STEADY = 30.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
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


class Program:
    """A child that is started again whenever it ends, until it's told to stop."""

    def __init__(self, name: str, command: tuple[str, ...], *, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.command = command
        self.env = env
        self.log = log
        self.process: Process | None = None
        self._since = 0

    async def start(self) -> Process:
        with open_log(self.log) as out:
            self._since = out.tell()
            self.process = await asyncio.create_subprocess_exec(
                # Without us the servers are gone too, and an orderly end would only wait for them.
                *tied(signal.SIGKILL),
                *self.command,
                cwd=ROOT,
                env=self.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # Ctrl-C reaches us alone; we end the programs one after the other.
                start_new_session=True,
            )
        return self.process

    async def keep(self) -> None:
        """Start it again when it ends, later and later while it keeps ending."""
        clock = asyncio.get_running_loop().time
        wait = FIRST_WAIT
        process = self.process or await self.start()
        while True:
            began = clock()
            status = await process.wait()
            wait = FIRST_WAIT if clock() - began > STEADY else min(wait * 2, LONGEST_WAIT)
            _say(f"The {self.name} ended ({_ended(status)}); it starts again in {wait:g} s. {self.said()}")
            await asyncio.sleep(wait)
            process = await self.start()

    async def stop(self) -> None:
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_PATIENCE):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def said(self) -> str:
        return f"Its last lines in {_short(self.log)}:\n{last_lines(self.log, since=self._since)}"


async def run(state: Path, *, ports: Ports = Ports(), commands: Commands = Commands()) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP (exit status 0), or until something can't be had (1)."""
    _obey_signals()
    state = _folder(state)
    try:
        with _alone(state) as announce:
            async with AsyncExitStack() as house:
                await _open(house, state, ports=ports, commands=commands, announce=announce)
    except asyncio.CancelledError:
        return 0
    except (AlreadyRunning, ServerError) as error:
        _say(str(error))
    return 1


async def _open(
    house: AsyncExitStack, state: Path, *, ports: Ports, commands: Commands, announce: Callable[[str], None]
) -> None:
    """Start one thing after the other and stay; what the house holds is closed in reverse."""
    _say("Starting Postgres and Valkey ...")
    postgres = servers.start_postgres(state)
    house.callback(postgres.stop)
    valkey = servers.start_valkey(state)
    house.callback(valkey.stop)
    smtp, page = _free(ports.smtp, "SMTP"), _free(ports.page, "the mailbox")
    mailbox = await house.enter_async_context(open_mailbox(smtp_port=smtp, page_port=page))
    env = _environment(state, postgres, valkey, smtp=mailbox.smtp_port, api=_free(ports.api, "the API"))
    _say("Migrating, starting the API and a worker ...")
    await _call(commands.migrate, env=env)
    await _call(commands.create_project, env=env, fine=(0, EXISTS))
    await _call(commands.allow_localhost, env=env)
    worker = Program("worker", commands.worker, env=env, log=state / "log" / "worker.log")
    api = Program("API", commands.api, env=env, log=state / "log" / "api.log")
    for program in (worker, api):
        await program.start()
        house.push_async_callback(program.stop)
    await _until_ready(worker, lambda: _exists(Path(env["WORKER_HEARTBEAT"])))
    await _until_ready(api, lambda: _answers(f"http://127.0.0.1:{env['HEALTH_PORT']}/ready"))
    announce(env["PUBLIC_URL"])
    _welcome(state, api=env["PUBLIC_URL"], page=mailbox.page_port, smtp=mailbox.smtp_port)
    keepers = [asyncio.create_task(program.keep()) for program in (worker, api)]
    house.callback(lambda: [keeper.cancel() for keeper in keepers])
    await _outlive((postgres, valkey), keepers)


def _environment(state: Path, postgres: Server, valkey: Server, *, smtp: int, api: int) -> dict[str, str]:
    """The settings of the programs: ours where they name what we started, else the caller's."""
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
        "WORKER_HEARTBEAT": str(heartbeat),
        "PYTHONUNBUFFERED": "1",
    }


async def _call(command: tuple[str, ...], *, env: Mapping[str, str], fine: tuple[int, ...] = (0,)) -> None:
    """Run one command to its end."""
    process = await asyncio.create_subprocess_exec(
        *tied(signal.SIGKILL),
        *command,
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in fine:
        lines = "\n".join(f"    {line}" for line in said.decode(errors="replace").splitlines()[-12:])
        raise ServerError(f"`{' '.join(command[1:])}` failed ({_ended(process.returncode)}):\n{lines}")


async def _until_ready(program: Program, ready: Callable[[], Awaitable[bool]]) -> None:
    deadline = asyncio.get_running_loop().time() + READY_PATIENCE
    while not await ready():
        status = program.process.returncode if program.process else None
        if status is not None:
            raise ServerError(f"The {program.name} did not start ({_ended(status)}). {program.said()}")
        if asyncio.get_running_loop().time() > deadline:
            raise ServerError(f"The {program.name} is not ready after {READY_PATIENCE:g} s. {program.said()}")
        await asyncio.sleep(0.05)


async def _outlive(running: tuple[Server, ...], keepers: list[asyncio.Task[None]]) -> None:
    """Stay while the servers do: without them nothing of the rest makes sense."""
    while all(server.running for server in running):
        ended, _ = await asyncio.wait(keepers, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        for keeper in ended:
            keeper.result()
    gone = next(server for server in running if not server.running)
    how = _ended(gone.process.returncode)
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
    """The first one ends the running task, which cleans up; impatient repetitions don't disturb that."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    signs = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end() -> None:
        for sign in signs:
            loop.add_signal_handler(sign, lambda: None)
        _say("Stopping ...")
        if task:
            task.cancel()

    for sign in signs:
        loop.add_signal_handler(sign, end)


def _free(port: int, what: str) -> int:
    """The port itself, else the next free one, said aloud; 0 asks for any."""
    if port == 0:
        return servers.free_port()
    number = next((near for near in range(port, min(port + 20, 65536)) if not _taken(near)), None)
    number = number or servers.free_port()
    if number != port:
        _say(f"Port {port} is taken; {what} uses {number}.")
    return number


def _taken(port: int) -> bool:
    """Both addresses count: who goes to localhost may try ::1 first and meet another program there."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
    return False


def _secret_keys(path: Path) -> str:
    """The same at each start, or every session and link of the last run would be void."""
    if not path.exists():
        servers.write_private(path, f"local:{secrets.token_hex(32)}")
    return path.read_text()


def _ended(status: int | None) -> str:
    if status is not None and status < 0:
        return f"by {signal.Signals(-status).name}"
    return f"exit {status}"


def _short(path: Path) -> str:
    return min(str(path), os.path.relpath(path), key=len)


def _welcome(state: Path, *, api: str, page: int, smtp: int) -> None:
    # The shell puts the seconds in, so that the line makes a new account each time.
    body = """'{"email":"ada-'$(date +%s)'@example.com","password":"correct horse 9","name":"Ada"}'"""
    headers = f"-H 'Content-Type: application/json' -H 'X-Appwrite-Project: {PROJECT}'"
    _say(f"""
  API      {api}
  Mailbox  http://localhost:{page}   (takes every mail sent to localhost:{smtp})
  Project  {PROJECT}   (for pages on localhost)
  Logs     {_short(state / "log")}

Sign up:
  curl -s {api}/v1/account {headers} -d {body}

Ctrl-C ends all of it; the data stay in {_short(state)}.""")


def _say(line: str) -> None:
    print(line, flush=True)
