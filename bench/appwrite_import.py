"""`python -m bench.appwrite_import`: users of a MariaDB, with identities and second factors, are dumped and imported.

It starts a MariaDB and a Postgres of its own (MARIADB_ROOT: see testkit/appwrite_mariadb.py), and prints seconds and
memory of the import. With `--kills` it kills the import so often before it lets it end, and counts what is there.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench.ground import PROJECT, Ground, ground
from service.store import providers
from testkit.appwrite_mariadb import CODES, KEY, authenticator, identity, mariadb, sealed, target, user

# What a user who came whole has.
_WHOLE = """
select count(*) filter (where u.mfa and i.n = 1 and a.n = 1 and c.n = 6) as whole, count(*) as users
from users u
cross join lateral (select count(*) as n from identities where (project_id, user_id) = (u.project_id, u.id)) i
cross join lateral (
    select count(*) as n from authenticators
    where (project_id, user_id) = (u.project_id, u.id) and verified_at is not null
) a
cross join lateral (select count(*) as n from recovery_codes where (project_id, user_id) = (u.project_id, u.id)) c
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.appwrite_import", description=__doc__)
    parser.add_argument("--users", type=int, default=3_000)
    parser.add_argument("--kills", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accounts-bench-") as folder:
        dump = Path(folder) / "appwrite.sql"
        _write(dump, given.users)
        print(f"dump: {given.users} users, {dump.stat().st_size / 1e6:.1f} MB")
        asyncio.run(_measure(Path(folder), dump, given.kills))


def _write(dump: Path, users: int) -> None:
    codes = json.dumps([sealed(code) for code in CODES])
    names = [f"user-{number}" for number in range(users)]
    with mariadb() as server:
        server.fill({
            "_1_users": [user(name, name=name, mfa=1, mfaRecoveryCodes=codes) for name in names],
            "_1_identities": [identity(name, "google", f"11{number:019}") for number, name in enumerate(names)],
            "_1_authenticators": [authenticator(name) for name in names],
            "_1_targets": [target(name, f"token of {name}") for name in names],
        })  # fmt: skip
        dump.write_bytes(server.dump())


async def _measure(folder: Path, dump: Path, kills: int) -> None:
    async with ground(folder) as place:
        await providers.save(place.pool, PROJECT, "google", enabled=True, client_id="id")
        for number in range(kills):
            await _import(place, dump, kill_at=random.randint(1, 60) + 60 * number)
            row = await place.pool.fetchrow(_WHOLE)
            print(f"killed: {row['users']} users, {row['whole']} of them whole")
        for time_ in ("first", "second"):
            began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            told = await _import(place, dump)
            seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{time_} run: {seconds:.1f} s, of them {used:.1f} s of its processor time")
            print(f"{told['imported']} imported, {told['left']} were here")
        row = await place.pool.fetchrow(_WHOLE)
        print(f"there: {row['users']} users, {row['whole']} of them whole")
        print(f"memory: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB at most")


async def _import(place: Ground, dump: Path, *, kill_at: int = 0) -> dict[str, int]:
    """Import by the command line, with a state file; what it tells. It is killed once so many users are there."""
    words = ["import", "appwrite", "--project", PROJECT, "--dump", str(dump), "--state", f"{dump}.state", "--json"]
    environment = {**os.environ, **place.environment, "APPWRITE_OPENSSL_KEY": KEY}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", *words, env=environment, stdout=asyncio.subprocess.PIPE
    )
    if kill_at:
        while running.returncode is None and len(await place.pool.fetch("select from users")) < kill_at:  # noqa: ASYNC110 - Postgres is asked
            await asyncio.sleep(0.01)
        running.kill()
        await running.communicate()
        return {}
    out, _ = await running.communicate()
    if running.returncode:
        raise RuntimeError(f"the import ended with {running.returncode}")
    return dict(json.loads(out))


if __name__ == "__main__":
    main()
