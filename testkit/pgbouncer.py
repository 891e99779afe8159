"""Debian's PgBouncer in transaction mode before a Postgres: few connections of the server for many clients."""

import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from devstack.servers import tied
from devstack.servers.run_as import choose_account
from service.db import connect
from testkit import debian
from testkit.patience import PATIENCE
from testkit.processes import lasting_port
from testkit.waiting import until

_CONFIG = """[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
ignore_startup_parameters = jit, statement_timeout, lock_timeout, idle_in_transaction_session_timeout
"""


@asynccontextmanager
async def pgbouncer(folder: Path, url: str, *, connections: int = 3) -> AsyncIterator[str]:
    """Start it with the docs' settings before the server of this address; yields the address through it."""
    program, parts, port = debian.program("pgbouncer"), urlsplit(url), lasting_port()
    folder.mkdir(mode=0o700)
    (folder / "users.txt").write_text(f'"{parts.username}" "{parts.password}"\n')
    config = folder / "pgbouncer.ini"
    config.write_text(_CONFIG.format(server=parts.port, port=port, folder=folder, connections=connections))
    # It refuses to be run by root, as Postgres does.
    words = [*choose_account().prefix, *tied(signal.SIGKILL), str(program.path), str(config)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - which takes a millisecond
            words, env=program.environment | {"PATH": "/usr/bin:/bin"}, stdout=log, stderr=log
        )
    through = url.replace(f":{parts.port}/", f":{port}/")
    try:
        await until(
            lambda: _answers(process, folder / "log", through), seconds=PATIENCE, what="PgBouncer does not start"
        )
        yield through
    finally:
        process.kill()
        process.wait(PATIENCE)


async def _answers(process: "subprocess.Popen[bytes]", log: Path, url: str) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        connection = await connect(f"{url}?prepared_statements=off")
    except OSError:
        return False
    await connection.close()
    return True
