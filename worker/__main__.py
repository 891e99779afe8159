"""`python -m worker`: send mails and file the security log until told to stop. Run as many as you like.

`python -m worker check` says whether the worker of this machine or container lives.
Exit codes: 0 done, 1 not alive, 2 wrong words, 5 the settings are unfit.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence

import orjson
import uvloop

from service import devices, journal, mails
from service.db import Pool
from service.jobs import Bell, connect
from service.settings import Settings, Unfit, WorkerSettings
from worker import letters
from worker.bell import Listener, end
from worker.logs import Clerk
from worker.mail import Mailer
from worker.smtp import Relay, parse_url
from worker.sweep import Sweeper

log = logging.getLogger("worker")
NOT_ALIVE, UNFIT = 1, 5
_STALE = 30.0


async def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    name = settings.worker_id or f"{socket.gethostname()}-{os.getpid()}"
    pool = Pool(
        settings.database_url.get_secret_value(), size=settings.database_connections, name="accounts-worker",
        patience=10,
    )  # fmt: skip
    redis = connect(settings.redis_url.get_secret_value())
    relay = Relay(parse_url(settings.smtp_url.get_secret_value()), connections=settings.smtp_connections)
    mailer = Mailer(pool, relay, Bell(redis), settings.key_ring, name, settings.mail_from, settings.public_url)
    clerk = Clerk(pool)
    sweeper = Sweeper(pool, mailer, clerk, settings.worker_heartbeat, settings.log_months, settings.mail_days)
    listener = Listener(settings.redis_url.get_secret_value(), mailer, clerk, settings.worker_jobs, name)
    sweeping = asyncio.create_task(_start(sweeper, pool, name))
    log.info("working", extra={"worker": name})
    try:
        await listener.run(stop)
    finally:
        await end(sweeping)
        await relay.close()
        await redis.aclose(close_connection_pool=True)
        await pool.close()
        settings.worker_heartbeat.unlink(missing_ok=True)


async def _start(sweeper: Sweeper, pool: Pool, name: str) -> None:
    """What this worker held when it died is its own again at once; then sweep for good."""
    while True:
        try:
            freed = await mails.free(pool, worker=name)
        except Exception:  # noqa: BLE001 - Postgres may not be up yet; it says so itself below
            log.warning("waiting for postgres")
            await asyncio.sleep(1)
        else:
            break
    if freed:
        log.info("took back mails", extra={"count": freed})
    await sweeper.run()


def check(settings: Settings) -> dict[str, object]:
    """Whether the sweep has come round lately."""
    try:
        age = time.time() - settings.worker_heartbeat.stat().st_mtime
    except OSError:
        return {"alive": False, "heartbeat": None}
    return {"alive": age < _STALE, "heartbeat": round(age, 1)}


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m worker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root.add_argument("command", nargs="?", choices=["run", "check"], default="run", help="run if not given")
    root.add_argument("--json", action="store_true", help="answer in JSON")
    return root


def main(words: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    try:
        settings = WorkerSettings.read()
        if arguments.command == "check":
            answer = check(settings)
            print(orjson.dumps(answer).decode() if arguments.json else f"alive: {answer['alive']}")
            return 0 if answer["alive"] else NOT_ALIVE
        relay_fault(settings)
    except Unfit as unfit:
        print("\n  ".join(["the settings are unfit:", *unfit.faults]), file=sys.stderr)
        return UNFIT
    journal.write_to(level=settings.log_level)
    letters.shelf()
    devices.warm()
    uvloop.run(work(settings))
    return 0


def relay_fault(settings: Settings) -> None:
    """Raises Unfit for an SMTP_URL that can't be used."""
    try:
        parse_url(settings.smtp_url.get_secret_value())
    except ValueError as fault:
        raise Unfit([f"SMTP_URL: {fault}"]) from None


if __name__ == "__main__":
    sys.exit(main())
