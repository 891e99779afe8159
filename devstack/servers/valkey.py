"""Valkey: its configuration written, the server started."""

import contextlib
import signal
import socket
from pathlib import Path

from devstack.servers.binaries import valkey_binary
from devstack.servers.folders import folder, write_private
from devstack.servers.lock_files import locked
from devstack.servers.processes import Server, on_a_port, spawn, tied
from devstack.servers.run_as import RunAs, password_at


def start_valkey(state: Path, /, *, port: int | None = None, throwaway: bool = False) -> Server:
    """Wait until Valkey answers PING; as `start_postgres`, from the main thread."""
    home = folder(state / "valkey")
    data, log, config = folder(home / "data"), state / "log" / "valkey.log", home / "valkey.conf"
    password = password_at(home / "password", RunAs("user"))
    argv = [*tied(signal.SIGTERM), str(valkey_binary()), str(config)]
    # The password stands in the file and not in the arguments, which every user of the machine can list.
    lines = ["bind 127.0.0.1", f"requirepass {password}", f"dir {_quoted(data)}", 'save ""']
    lines.append("appendonly no" if throwaway else "appendonly yes")
    with locked(home / "lock") as claim:

        def launch(number: int) -> Server:
            write_private(config, "\n".join([*lines, f"port {number}", ""]))
            process = spawn(argv, log=log, claim=claim, ready=lambda _: _answers_ping(number, password))
            url = f"redis://:{password}@127.0.0.1:{number}/0"
            return Server("Valkey", url, log, process, signal.SIGTERM, home if throwaway else None)

        return on_a_port(launch, port)


def _answers_ping(port: int, password: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as line:
        line.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        with line.makefile("rb") as answer:
            return [answer.readline(), answer.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
    return False


def _quoted(path: Path) -> str:
    """As Valkey's configuration wants what may hold a space."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
