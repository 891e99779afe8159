"""`serve --processes N`: one API on one port, by several processes that share what they have loaded."""

import sys
from typing import NoReturn

import uvloop

from service import app, event_loop_monitor, listening, server, usable_cores
from service.cli import exit_codes
from service.clientinfo import user_agents
from service.process_supervisor import Supervisor
from service.settings import InvalidSettings, Settings
from service.supervision import Supervision

# Seconds for a process to end, beyond those that its requests have.
_SPARE = 5.0


def run(settings: Settings, count: int, *, share_port: bool) -> NoReturn:
    """Serve by so many processes until told to stop. Raises InvalidSettings, ServerUnavailable or SystemExit."""
    _check_ports(settings, count)
    if not share_port:
        listening.require_free_port(settings)
    app.routes()
    user_agents.load_rules()
    event_loop_monitor.spare_startup()
    supervisor = Supervisor(
        count,
        lambda index, starter: _serve_one(_settings_of(settings, index, count), starter),
        drain=settings.stop_delay + server.DRAIN + _SPARE,
        fatal=frozenset({exit_codes.UNFIT}),
        fatal_before_ready=frozenset({exit_codes.AWAY}),
    )
    raise SystemExit(supervisor.supervise())


def _check_ports(settings: Settings, count: int) -> None:
    if not settings.port:
        raise InvalidSettings(["PORT: 0 is another port for each process; choose one"])
    health = range(settings.health_port, settings.health_port + count if settings.health_port else 0)
    if settings.port in health or (health and health[-1] > 65535):
        last = f"HEALTH_PORT + {count - 1}"
        raise InvalidSettings([f"HEALTH_PORT: each process has its own, up to {last}; they must exist and not be PORT"])


def _settings_of(settings: Settings, index: int, count: int) -> Settings:
    """Return the settings of one process: its own health port, and its share of the cores for hashing."""
    own = {
        "health_port": settings.health_port and settings.health_port + index,
        "hash_threads": settings.hash_threads or max(1, usable_cores.count() // count),
    }
    return settings.model_copy(update=own)


def _serve_one(settings: Settings, starter: Supervision) -> int:
    try:
        uvloop.run(server.serve(settings, share_port=True, starter=starter))
    except Exception as error:
        code = exit_codes.code_of(error)
        if not code:
            raise
        print(exit_codes.describe(error, code, settings), file=sys.stderr, flush=True)  # noqa: T201 - as every command
        return code
    return 0
