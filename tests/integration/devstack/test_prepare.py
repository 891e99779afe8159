"""Database and project of the demo, before its programs start."""

import asyncio
import os
import sys

import pytest

from service.store import branding, projects, providers
from service.store.branding import BrandingCache

LOCAL = "http://localhost:8030/"
ISSUER = "http://localhost:8040"


@pytest.fixture
def prepare(environment, tmp_path):
    async def prepare(host="", app=LOCAL, **more):
        argv = (sys.executable, "-m", "devstack.prepare", "demo", host, app, str(tmp_path / "lan_host"), ISSUER)
        env = {**os.environ, **environment, "PROVIDER_SECRET": "of this run", **more}
        process = await asyncio.create_subprocess_exec(*argv, env=env)
        return await process.wait()

    return prepare


async def app_url(pool):
    return (await BrandingCache(pool).find("demo")).app_url


async def allowed(pool):
    found = await projects.find(pool, "demo")
    return sorted(found.hostnames), found.plain_http


async def test_it_may_run_again_and_again(prepare, pool):
    """The first run makes the project, for localhost. Each run's pages lead back to its own app, whatever its port."""
    assert await prepare() == 0
    assert await prepare(app="http://localhost:8031/") == 0
    assert await app_url(pool) == "http://localhost:8031/"
    assert await prepare() == 0
    assert await app_url(pool) == LOCAL
    assert (await projects.find(pool, "demo")).name == "Demo"
    assert await allowed(pool) == (["localhost"], True)


async def test_pages_lead_back_to_the_app_that_a_developer_has_set(prepare, pool):
    """An address that no run has set stays, be it one on localhost."""
    assert await prepare() == 0
    await branding.change(pool, "demo", app_url="http://localhost:3000/")
    for _ in range(2):
        assert await prepare(app="http://localhost:8031/") == 0
        assert await app_url(pool) == "http://localhost:3000/"


async def test_the_host_of_the_lan_is_allowed_as_long_as_it_is_given(prepare, pool):
    """--host is for one run: the next names another one or none. What a developer has added stays."""
    assert await prepare("192.0.2.20", "http://192.0.2.20:8030/") == 0
    await projects.add_platform(pool, "demo", hostname="own.example")
    assert await allowed(pool) == (["192.0.2.20", "localhost", "own.example"], True)
    assert await app_url(pool) == "http://192.0.2.20:8030/"
    for _ in range(2):
        assert await prepare("2001:db8::1", "http://[2001:db8::1]:8030/") == 0
        assert await allowed(pool) == (["[2001:db8::1]", "localhost", "own.example"], True)
        assert await app_url(pool) == "http://[2001:db8::1]:8030/"
    for _ in range(2):
        assert await prepare() == 0
        assert await allowed(pool) == (["localhost", "own.example"], True)
        assert await app_url(pool) == LOCAL


async def test_what_a_developer_has_set_stays(prepare, pool):
    """A host removed by hand is no failure, and pages lead back to the address that a developer has set."""
    assert await prepare("192.0.2.20") == 0
    assert await projects.remove_platform(pool, "demo", hostname="192.0.2.20")
    await branding.change(pool, "demo", app_url="http://own.example/")
    assert await prepare() == 0
    assert await allowed(pool) == (["localhost"], True)
    assert await app_url(pool) == "http://own.example/"


async def test_passkeys_work_on_this_machine(prepare, pool):
    """The project makes passkeys for localhost, one from before them too; another host stays."""
    for former, kept in (("", "localhost"), ("localhost", "localhost"), ("own.example", "own.example")):
        assert await prepare() == 0
        await projects.change(pool, "demo", rp_id=former, passkeys=bool(former))
        assert await prepare() == 0
        found = await projects.find(pool, "demo")
        assert (found.rp_id, found.passkeys) == (kept, True)


async def test_each_run_has_its_own_provider(prepare, pool, settings):
    """Users may sign in by the demo provider, with the secret of this run, and keep its addresses."""
    for secret in ("of the first run", "of the second"):
        assert await prepare(PROVIDER_SECRET=secret) == 0
        found = await providers.lock(pool, settings.key_ring, "demo", "oidc-demo")
        assert (found.usable, found.issuer, found.client_id, found.trust_email) == (True, ISSUER, "demo", True)
        assert found.client_secret.reveal() == secret


async def test_sms_go_everywhere(prepare, pool):
    """The mailbox takes SMS for any number, unless a developer has named countries."""
    assert await prepare() == 0
    assert (await projects.find(pool, "demo")).sms_countries == [f"+{digit}" for digit in range(1, 10)]
    await projects.change(pool, "demo", sms_countries=["+49"])
    assert await prepare() == 0
    assert (await projects.find(pool, "demo")).sms_countries == ["+49"]


async def test_a_failure_ends_it(prepare):
    """The exit code is that of the command that failed."""
    assert await prepare(SECRET_KEYS="short") == 5
