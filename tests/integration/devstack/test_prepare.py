"""Database and project of the demo, before its programs start."""

import asyncio
import os
import sys

from service.store import projects
from service.store.branding import BrandingCache


async def prepare(environment, host="", app="http://localhost:8030/"):
    argv = (sys.executable, "-m", "devstack.prepare", "demo", host, app)
    process = await asyncio.create_subprocess_exec(*argv, env={**os.environ, **environment})
    return await process.wait()


async def test_it_may_run_again_and_again(environment, pool):
    """The first run makes the project, for localhost; a later one adds the host of --host, and nothing goes.

    Pages lead back to the app of the first run: a developer may have set another one since.
    """
    assert await prepare(environment) == 0
    assert await prepare(environment, app="http://localhost:8031/") == 0
    assert (await BrandingCache(pool).find("demo")).app_url == "http://localhost:8030/"
    found = await projects.find(pool, "demo")
    assert (found.name, found.hostnames, found.plain_http) == ("Demo", ["localhost"], False)
    for host in ("192.0.2.20", "2001:db8::1"):
        assert await prepare(environment, host) == 0
    found = await projects.find(pool, "demo")
    assert (sorted(found.hostnames), found.plain_http) == (["192.0.2.20", "[2001:db8::1]", "localhost"], True)


async def test_a_failure_ends_it(environment):
    """The exit code is that of the command that failed."""
    assert await prepare(environment | {"SECRET_KEYS": "short"}) == 5
