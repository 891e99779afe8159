"""A primary, its replica and three sentinels, which make the replica the primary when the first one is killed."""

import secrets
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from devstack.servers import tied
from devstack.servers.binaries import valkey_binary
from devstack.servers.processes import bare_env
from testkit.processes import lasting_port
from testkit.waiting import until

SERVICE = "accounts"
# Milliseconds until a silent primary counts as down: enough for a machine that stands still for a while.
_DOWN = 1500


@dataclass
class Watched:
    """Servers by port, the sentinels among them; all have one password."""

    password: str
    servers: list[int]
    sentinels: list[int]
    processes: dict[int, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://:{self.password}@{hosts}/{SERVICE}/0?sentinel_password={self.password}"

    def client(self, port: int) -> Any:
        return Redis(host="127.0.0.1", port=port, password=self.password)

    async def primary(self) -> int:
        """Port of the primary that takes writes, whatever the sentinels say of it; 0 for none."""
        for port in self.servers:
            async with self.client(port) as redis:
                try:
                    if (await redis.info("replication"))["role"] == "master":
                        return port
                except RedisError:
                    continue
        return 0

    async def kill_primary(self) -> int:
        """SIGKILL; its port."""
        port = await self.primary()
        self.processes[port].send_signal(signal.SIGKILL)
        self.processes[port].wait()
        return port

    async def are_watching(self) -> bool:
        """Tell whether all sentinels know each other and the replica."""
        for port in self.sentinels:
            async with self.client(port) as redis:
                try:
                    state = (await redis.sentinel_masters())[SERVICE]
                except (RedisError, KeyError):
                    return False
                if (state["num-other-sentinels"], state["num-slaves"]) != (len(self.sentinels) - 1, 1):
                    return False
        return True


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    """Start all of them; returns once the sentinels would agree on a failover."""
    made = Watched(secrets.token_hex(12), [lasting_port(), lasting_port()], [lasting_port() for _ in range(3)])
    own = f"bind 127.0.0.1\nrequirepass {made.password}\n"
    server = f'{own}masterauth {made.password}\nsave ""\nrepl-diskless-sync-delay 0\n'
    first, second = made.servers
    sentinel = (
        f"{own}sentinel monitor {SERVICE} 127.0.0.1 {first} 2\nsentinel auth-pass {SERVICE} {made.password}\n"
        f"sentinel sentinel-pass {made.password}\n"
        f"sentinel down-after-milliseconds {SERVICE} {_DOWN}\nsentinel failover-timeout {SERVICE} 5000\n"
    )
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for port, text in {first: server, second: f"{server}replicaof 127.0.0.1 {first}\n"}.items():
            made.processes[port] = stack.enter_context(_running(folder / str(port), port, text))
        for port in made.sentinels:
            made.processes[port] = stack.enter_context(_running(folder / str(port), port, sentinel, "--sentinel"))
        await until(made.are_watching, what="the sentinels do not find each other")
        yield made


@contextmanager
def _running(home: Path, port: int, text: str, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    home.mkdir(parents=True)
    config = home / "server.conf"
    config.write_text(f"{text}port {port}\ndir {home}\n")
    argv = [*tied(signal.SIGKILL), str(valkey_binary()), str(config), *words]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=home, env=bare_env(), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
