"""Ground of a figure: throw-away servers on free ports, the schema, and the project `shop`."""

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack import servers
from service.db import Pool
from service.settings import Settings
from service.store import migrations, projects

PROJECT = "shop"


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers of a figure; `environment` is for the programs of the service."""

    environment: dict[str, str]
    settings: Settings
    pool: Pool


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Start all servers; they end with the block. The rate limits count and refuse nothing."""
    with tempfile.TemporaryDirectory(prefix="figure-") as folder:
        postgres = servers.start_postgres(Path(folder), throwaway=True)
        try:
            valkey = servers.start_valkey(Path(folder), throwaway=True)
            try:
                async with _laid(servers.create_database(postgres, "figure"), valkey.url) as laid:
                    yield laid
            finally:
                valkey.stop()
        finally:
            postgres.stop()


@asynccontextmanager
async def _laid(database_url: str, redis_url: str) -> AsyncIterator[Ground]:
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SMTP_URL": "smtp://127.0.0.1:1?tls=none",
        "SMS_URL": "log:",
        "PUBLIC_URL": "http://localhost",
        "SECRET_KEYS": f"figure:{secrets.token_hex(32)}",
        "MAIL_FROM": "no-reply@accounts.test",
        "LIMITS": "off",
        "LOG_LEVEL": "error",
    }
    await migrations.migrate(database_url)
    pool = Pool(database_url, size=8, name="figure")
    await projects.create(pool, PROJECT, name="Shop")
    await projects.add_platform(pool, PROJECT, hostname="localhost")
    settings = Settings.model_validate({name.lower(): value for name, value in environment.items()})
    yield Ground(environment, settings, pool)
    await pool.close()
