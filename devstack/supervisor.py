"""Everything the service needs on one machine, started in order and ended in reverse by one Ctrl-C."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from devstack import environment, servers
from devstack.children import Program, call, until_ready
from devstack.example_app import open_example_app
from devstack.gallery import Gallery
from devstack.identity_provider import Client, open_identity_provider
from devstack.lan import origin, own_address
from devstack.log_follower import follow
from devstack.mailbox import Mailbox, open_mailbox
from devstack.ports import USUAL, Ports, PortTaken, choose, refuse_taken
from devstack.programs import OURS, PROJECT, PROVIDER, Commands, list_programs
from devstack.servers import Server, ServerError, last_lines
from devstack.terminal import how_ended, print_line, welcome
from devstack.try_it import open_try_it
from service.identity_providers import callbacks

PORT_TAKEN = 2


class AlreadyRunning(Exception):
    """Another supervisor holds the state folder; the message says where it is reached."""


async def run(state: Path, *, ports: Ports = USUAL, host: str = "", commands: Commands = OURS) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP, and answer the exit status.

    0 after a signal, PORT_TAKEN for a port that was asked for, 1 for anything else that can't be had. With `host`, an
    address of this machine, API and mailbox are on that address, too.
    """
    _obey_signals()
    state = _folder(state)
    try:
        host = own_address(host) if host else ""
        with _alone(state) as announce:
            refuse_taken(ports, host)
            async with AsyncExitStack() as stack:
                await _open(stack, state, ports=ports, host=host, commands=commands, announce=announce)
    except asyncio.CancelledError:
        return 0
    except PortTaken as error:
        print_line(str(error))
        return PORT_TAKEN
    except (AlreadyRunning, ServerError) as error:
        print_line(str(error))
    return 1


async def _open(
    stack: AsyncExitStack, state: Path, *, ports: Ports, host: str, commands: Commands, announce: Callable[[str], None]
) -> None:
    """Start one thing after the other and stay; the stack is closed in reverse."""
    print_line("Starting Postgres and Valkey ...")
    postgres = servers.start_postgres(state)
    stack.callback(postgres.stop)
    valkey = servers.start_valkey(state)
    stack.callback(valkey.stop)
    smtp, page = choose(ports, "smtp"), choose(ports, "page", host)
    mailbox = await stack.enter_async_context(
        open_mailbox(
            smtp_port=smtp,
            page_port=page,
            folder=state / "mails",
            host=host,
            routes=Gallery(state / "gallery").routes(),
        )
    )
    settings = environment.settings(
        state,
        postgres,
        valkey,
        smtp=mailbox.smtp_port,
        page=mailbox.page_port,
        api=choose(ports, "api", host),
        host=host,
    )
    env = environment.for_programs(settings)
    print_line("Migrating, starting the API and a worker ...")
    app_port = choose(ports, "app", host)
    app_url, note = f"{origin(host, app_port)}/", state / "lan_host"
    provider, secret = await _open_provider(stack, ports, settings["PUBLIC_URL"])
    prepare = (*commands.prepare, PROJECT, host, app_url, str(note), provider)
    await call(prepare, env={**env, "PROVIDER_SECRET": secret})
    programs = list_programs(commands, env, logs=state / "log")
    for program in programs:
        await program.start()
        stack.push_async_callback(program.stop)
    for program in programs:
        await until_ready(program)
    stack.enter_context(environment.shared(state, settings))
    api = settings["PUBLIC_URL"]
    app = await stack.enter_async_context(
        open_example_app(
            endpoint=f"{api}/v1",
            project=PROJECT,
            mailbox=origin(host, mailbox.page_port),
            provider=PROVIDER,
            port=app_port,
            host=host,
        )
    )
    try_it = await stack.enter_async_context(
        open_try_it(api=api, project=PROJECT, port=choose(ports, "try_it", host), host=host)
    )
    announce(api)
    places = _places(api, mailbox, programs, app=app, try_it=try_it, provider=provider, host=host)
    welcome(state, PROJECT, places, api=api, lan=host)
    await _stay(stack, (postgres, valkey), programs)


async def _open_provider(stack: AsyncExitStack, ports: Ports, api: str) -> tuple[str, str]:
    """Start the provider that the example app can sign in by; returns its address and the secret of its client."""
    port, secret = choose(ports, "provider"), secrets.token_urlsafe(32)
    issuer = origin("", port)
    client = Client(PROJECT, secret, callbacks.url(api, PROVIDER, PROJECT))
    await stack.enter_async_context(open_identity_provider(issuer=issuer, client=client, port=port))
    return issuer, secret


def _places(
    api: str, mailbox: Mailbox, programs: Iterable[Program], *, app: int, try_it: int, provider: str, host: str
) -> Iterator[tuple[str, str]]:
    """List what a browser can open."""
    page = origin(host, mailbox.page_port)
    yield "API", api
    yield "Docs", f"{api}/docs"
    yield "Try it", f"{origin(host, try_it)}   (Swagger UI for every route)"
    yield "App", f"{origin(host, app)}   (an example with the official web SDK, to copy from devstack/example_app/site)"
    yield "Provider", f"{provider}   (for trying out: whoever types an address there is that person; this machine only)"
    yield "Mailbox", f"{page}   (takes every mail sent to localhost:{mailbox.smtp_port}, and every SMS)"
    yield "Letters", f"{page}/gallery/   (letters and pages in each language, made at the first look)"
    for program in programs:
        if program.url:
            yield program.name.capitalize(), program.url


async def _stay(stack: AsyncExitStack, running: tuple[Server, ...], programs: tuple[Program, ...]) -> None:
    """Show the programs' logs and keep the programs alive."""
    followers = [asyncio.create_task(follow(program.name.lower(), program.log)) for program in programs]
    keepers = [asyncio.create_task(program.keep()) for program in programs]
    stack.callback(lambda: [task.cancel() for task in (*keepers, *followers)])
    await _outlive(running, [*keepers, *followers])


async def _outlive(running: tuple[Server, ...], tasks: list[asyncio.Task[None]]) -> None:
    """Stay while the servers do: without them nothing of the rest makes sense."""
    while all(server.running for server in running):
        ended, _ = await asyncio.wait(tasks, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    gone = next(server for server in running if not server.running)
    how = how_ended(gone.process.returncode)
    raise ServerError(f"{gone.name} ended by itself ({how}). Its log says:\n{last_lines(gone.log)}")


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
    obeyed = False

    def end() -> None:
        nonlocal obeyed
        # Of two signals that come together, both are scheduled before the first one is obeyed.
        if obeyed:
            return
        obeyed = True
        print_line("Stopping ...")
        if task:
            task.cancel()

    for sign in signs:
        loop.add_signal_handler(sign, end)
