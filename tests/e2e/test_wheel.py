"""The wheel, installed in an environment of its own and run outside the checkout by its console scripts."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import aiohttp
import pytest

from testkit import processes
from testkit.api import Api
from testkit.patience import PATIENCE
from testkit.sink import Sink
from testkit.sources import ROOT, tracked
from tests.conftest import Shared

# What the service reads beside its code, as service/project_files.py has it.
BESIDE = ("docs", "sql", "templates")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture
def scripts(wheel: Path, tmp_path: Path) -> Path:
    """Folder of the programs of a new environment, which borrows the packages of this one but not this checkout."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    programs = tmp_path / "venv" / "bin"
    pip = ("-m", "pip", "--python", str(programs / "python"), "install", "--quiet", "--no-deps", "--no-index")
    _run(sys.executable, *pip, "--no-compile", "--disable-pip-version-check", str(wheel), cwd=tmp_path)
    packages = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def _run(*words: str, cwd: Path, environment: dict[str, str] | None = None) -> str:
    own = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    done = subprocess.run(
        words, cwd=cwd, env=own | (environment or {}), capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_what_production_runs(wheel: Path):
    """Every file of the service and the worker, with SQL, templates and pages; nothing of tests or development."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {"service/project_files/pyproject.toml"}
    for path in tracked():
        relative = path.relative_to(ROOT)
        if relative.parts[0] in ("service", "worker"):
            expected.add(str(relative))
        elif relative.parts[0] in BESIDE:
            expected.add(f"service/project_files/{relative}")
    assert names == expected


async def test_the_wheel_works_outside_the_checkout(
    scripts: Path, tmp_path: Path, environment: dict[str, str], shared_postgres: Shared
):
    """Its console scripts migrate an empty Postgres, answer requests, show the docs and send a mail."""
    accounts = str(scripts / "accounts")
    assert "usage: accounts " in _run(accounts, "--help", cwd=tmp_path)
    version = _run(accounts, "--version", cwd=tmp_path)
    assert _run(str(scripts / "accounts-worker"), "--version", cwd=tmp_path) == version
    where = _run(str(scripts / "python"), "-c", "import service; print(service.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path / "venv"))
    async with shared_postgres.new_database() as database, Sink() as sink:
        ports, heartbeat = processes.api_ports(), str(tmp_path / "heartbeat")
        settings = environment | ports | {"DATABASE_URL": database, "WORKER_HEARTBEAT": heartbeat}
        settings["SMTP_URL"] = f"smtp://127.0.0.1:{sink.port}?tls=none"
        for words in ("migrate", "projects create shop --name Shop", "platforms add shop localhost"):
            _run(accounts, *words.split(), cwd=tmp_path, environment=settings)
        running = processes.program("serve", environment=settings, root=tmp_path, command=(accounts,))
        worker = processes.program(environment=settings, root=tmp_path, command=(str(scripts / "accounts-worker"),))
        async with running as api, worker:
            await processes.until_ready(api, f"http://127.0.0.1:{ports['HEALTH_PORT']}/ready")
            address = f"http://127.0.0.1:{ports['PORT']}"
            async with aiohttp.ClientSession(address, cookie_jar=aiohttp.DummyCookieJar()) as client:
                await _use(Api(client))
                await sink.wait_for(1)


async def _use(api: Api) -> None:
    await api.sign_up()
    asked = {"email": "ann@example.com", "url": "http://localhost/reset"}
    assert (await api.call("POST", "/v1/account/recovery", json=asked)).status == 201
    for path in ("/docs/guides/quick-start", "/docs/api/account"):
        assert (await api.call("GET", path)).status == 200
