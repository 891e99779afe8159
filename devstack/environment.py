"""Settings of the demo's programs, and the file that hands them to `./dev cli` while the demo runs."""

import contextlib
import fcntl
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from devstack import servers, sms_inbox
from devstack.lan import origin
from devstack.servers import Server

_FILE = "environment"


def settings(
    state: Path, postgres: Server, valkey: Server, *, smtp: int, page: int, api: int, host: str = ""
) -> dict[str, str]:
    """Build the settings that name what we started; `host` is an address that others in the LAN reach."""
    return {
        "DATABASE_URL": servers.create_database(postgres, "accounts"),
        "REDIS_URL": valkey.url,
        "SMTP_URL": f"smtp://127.0.0.1:{smtp}?tls=none",
        "SMS_URL": f"http://127.0.0.1:{page}{sms_inbox.PATH}",
        "PUBLIC_URL": origin(host, api),
        "SECRET_KEYS": _secret_keys(state / "secret_keys"),
        # /ready is on the first one only.
        "HOST": f"127.0.0.1,{host}" if host else "127.0.0.1",
        "PORT": str(api),
        "HEALTH_PORT": str(servers.free_port()),
        "WORKER_HEALTH_PORT": str(servers.free_port()),
        "WORKER_ID": "local",
        "WORKER_STATE": str(state / "worker"),
        "WORKER_HEARTBEAT": str(state / "worker.heartbeat"),
        # All clients here have the same few addresses; guesses at one account are refused as ever.
        "LIMITS": os.environ.get("LIMITS") or "observe-addresses",
    }


def for_programs(ours: Mapping[str, str]) -> dict[str, str]:
    """Add the caller's environment, in which ours come first, and a log for the terminal."""
    log_format = os.environ.get("LOG_FORMAT") or ("text" if sys.stdout.isatty() else "json")
    return {**os.environ, **ours, "LOG_FORMAT": log_format, "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def shared(state: Path, ours: Mapping[str, str]) -> Iterator[None]:
    """Keep settings in a file that only this user can read. It is locked until the demo ends, however it ends."""
    path = state / _FILE
    servers.write_private(path, json.dumps(dict(ours)))
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def read(state: Path) -> dict[str, str] | None:
    """Read the settings of the demo that is running; None where none is."""
    try:
        with (state / _FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        found: dict[str, str] = json.loads((state / _FILE).read_text())
        return found
    except FileNotFoundError:
        pass
    return None


def _secret_keys(path: Path) -> str:
    """Keep the secrets over restarts, or every session and link of the last run would be void."""
    if not path.exists():
        servers.write_private(path, f"local:{secrets.token_hex(32)}")
    return path.read_text()
