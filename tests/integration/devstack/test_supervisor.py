"""`python -m devstack run` with real servers and stand-ins for our own programs."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import textwrap
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[3]

SUPERVISOR = textwrap.dedent("""
    import asyncio, json, sys
    from pathlib import Path
    from devstack.ports import Ports
    from devstack.programs import Commands
    from devstack.supervisor import run
    state, commands, ports = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    commands = Commands(**{name: tuple(words) for name, words in commands.items()})
    sys.exit(asyncio.run(run(Path(state), ports=Ports(**ports), host=sys.argv[4], commands=commands)))
""")

# Notes its life in the state folder. A mortal worker falls once, when everything is up.
STAND_IN = textwrap.dedent("""
    import http.server, json, os, pathlib, signal, sys, time
    role, heartbeat = sys.argv[1], pathlib.Path(os.environ["WORKER_HEARTBEAT"])
    notes, lock = heartbeat.with_name("notes"), heartbeat.with_name("lock")
    lives = notes.read_text().count(role) if notes.exists() else 0

    def note(word):
        with notes.open("a") as file:
            file.write(json.dumps({"role": word, **os.environ}) + chr(10))

    def leave(*_):
        note(role + " stopped")
        os._exit(0)

    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/ready" else 404)
            self.end_headers()

    signal.signal(signal.SIGTERM, signal.SIG_IGN if role == "deaf" else leave)
    note(role)
    if role == "api":
        http.server.HTTPServer(("127.0.0.1", int(os.environ["HEALTH_PORT"])), Ready).serve_forever()
    heartbeat.touch()
    while role == "mortal" and lives == 0:
        if "http" in lock.read_text():
            print("worker fell over a stone")
            sys.exit(5)
        time.sleep(0.01)
    while True:
        signal.pause()
""")

QUICK, HANGING = ["true"], ["sh", "-c", "sleep 1000"]
BROKEN = ["sh", "-c", "echo relation is not there; exit 7"]


def stand_in(role):
    return [sys.executable, "-I", "-S", "-c", STAND_IN, role]


def note_words(name):
    """A command that adds its further words to a file of the state folder."""
    return ["sh", "-c", f'echo "$@" >>"$(dirname "$WORKER_HEARTBEAT")/{name}"', "sh"]


def read_notes(state):
    return [json.loads(line) for line in (state / "notes").read_text().splitlines()]


@contextmanager
def supervisor(state, *, ports=None, host="", **commands):
    """A supervisor in its own process; whatever the test does, it and its children are gone afterwards."""
    ports = {"api": 0, "page": 0, "smtp": 0, "app": 0, "try_it": 0, "provider": 0} | (ports or {})
    usual = {"prepare": QUICK, "api": stand_in("api"), "worker": stand_in("worker")}
    argv = [sys.executable, "-c", SUPERVISOR, str(state), json.dumps(usual | commands), json.dumps(ports), host]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            rest = process.stdout.read()
            process.wait()
            assert "Traceback" not in rest


def read_to(process, word):
    """Read what it says up to the line with the word."""
    said = ""
    for line in process.stdout:
        said += line
        if word in line:
            return said
    raise AssertionError(f"ended without {word!r}:\n{said}")


def read_all(process):
    said = process.stdout.read()
    process.wait(60)
    return said


def children_of(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_the_end(pid):
    """Wait until the process is gone, whoever its parent is."""
    with suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            assert select.select([fd], [], [], 60)[0], f"process {pid} lives on"
        finally:
            os.close(fd)


def test_it_says_where_everything_is(tmp_path):
    """One look at the terminal tells the addresses, the project and a line to try."""
    with supervisor(tmp_path) as process:
        said = read_to(process, "Ctrl-C")
        note = next(note for note in read_notes(tmp_path) if note["role"] == "api")
        assert f"http://localhost:{note['PORT']}" == note["PUBLIC_URL"]
        assert f"API      {note['PUBLIC_URL']}\n" in said
        assert re.search(r"Mailbox  http://localhost:\d+ ", said)
        app = re.search(r"App      (http://localhost:\d+) ", said)[1]
        with urlopen(f"{app}/config.js") as answer:  # noqa: S310 - an address of ours
            config = answer.read().decode()
        assert f'ENDPOINT = "{note["PUBLIC_URL"]}/v1"' in config
        assert 'PROVIDER = "oidc-demo"' in config
        issuer = re.search(r"Provider (http://localhost:\d+) ", said)[1]
        with urlopen(f"{issuer}/.well-known/openid-configuration") as answer:  # noqa: S310 - an address of ours
            assert json.load(answer)["issuer"] == issuer
        page = re.search(r"Try it   (http://localhost:\d+) ", said)[1]
        with urlopen(page) as answer:  # noqa: S310 - an address of ours
            assert f'data-api="{note["PUBLIC_URL"]}" data-project="demo"' in answer.read().decode()
        assert "Project  demo " in said
        assert f"curl -s {note['PUBLIC_URL']}/v1/account " in said
        assert re.fullmatch(r"smtp://127\.0\.0\.1:\d+\?tls=none", note["SMTP_URL"])


def test_the_line_to_try_makes_a_new_address_each_time(tmp_path):
    """The body of the curl line is JSON once the shell has put the time in."""
    with supervisor(tmp_path) as process:
        line = next(line for line in read_to(process, "Ctrl-C").splitlines() if "curl" in line)
    body = subprocess.check_output(["sh", "-c", "printf %s " + line.split(" -d ")[1]], text=True)
    assert re.fullmatch(r"ada-\d+@example\.com", json.loads(body)["email"])


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_all_of_it_in_order(tmp_path, sign):
    """After one Ctrl-C, or SIGTERM, nothing runs: the last that was started ended first, and the status is 0."""
    with supervisor(tmp_path) as process:
        read_to(process, "Ctrl-C")
        children = children_of(process.pid)
        process.send_signal(sign)
        assert read_all(process).split("\n") == ["Stopping ...", ""]
    assert process.returncode == 0
    assert len(children) == 4
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    roles = [note["role"] for note in read_notes(tmp_path)]
    assert roles[-2:] == ["api stopped", "worker stopped"]


def test_signals_that_come_together_count_as_one(tmp_path):
    """A terminal that closes sends several at once: it stops once, says so once, and in order."""
    with supervisor(tmp_path) as process:
        read_to(process, "Ctrl-C")
        process.send_signal(signal.SIGSTOP)  # what is sent now waits, and comes at once
        for sign in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            process.send_signal(sign)
        process.send_signal(signal.SIGCONT)
        assert read_all(process) == "Stopping ...\n"
    assert process.returncode == 0
    assert [note["role"] for note in read_notes(tmp_path)][-2:] == ["api stopped", "worker stopped"]


def test_ctrl_c_ends_a_start_that_hangs(tmp_path):
    """Somebody who changes their mind during the start isn't left with half of it."""
    with supervisor(tmp_path, prepare=HANGING) as process:
        read_to(process, "Migrating")
        children = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        assert read_all(process) == "Stopping ...\n"
    assert process.returncode == 0
    for pid in children:
        wait_for_the_end(pid)


def test_a_killed_supervisor_leaves_no_orphan(tmp_path):
    """After kill -9 of the supervisor its servers and programs end, deaf ones too, and the next run works."""
    with supervisor(tmp_path, worker=stand_in("deaf")) as process:
        read_to(process, "Ctrl-C")
        children = children_of(process.pid)
        process.kill()
        process.wait()
    assert len(children) == 4
    for pid in children:
        wait_for_the_end(pid)
    with supervisor(tmp_path) as process:
        read_to(process, "Ctrl-C")


def test_a_second_run_says_so_in_one_line(tmp_path):
    """Two never share a folder: the second one says where the first one is, and fails."""
    with supervisor(tmp_path) as first:
        address = re.search(r"API {2,}(\S+)", read_to(first, "Ctrl-C"))[1]
        with supervisor(tmp_path) as second:
            said = read_all(second)
        assert said.count("\n") == 1
        assert said.startswith(f"Already running at {address} (process {first.pid})")
        assert second.returncode == 1
        assert first.poll() is None


def test_passwords_and_keys_stay_for_the_next_run(tmp_path):
    """Sessions, links and data of one run are good in the next: same keys, same database. Others read neither."""
    for _ in range(2):
        with supervisor(tmp_path) as process:
            read_to(process, "Ctrl-C")
    first, second = [note for note in read_notes(tmp_path) if note["role"] == "api"]
    assert first["SECRET_KEYS"] == second["SECRET_KEYS"]
    assert re.fullmatch(r"local:[0-9a-f]{64}", first["SECRET_KEYS"])
    assert first["DATABASE_URL"].split("@")[0] == second["DATABASE_URL"].split("@")[0]
    assert first["DATABASE_URL"].endswith("/accounts")
    assert first["WORKER_STATE"] == second["WORKER_STATE"] == str(tmp_path.resolve() / "worker")
    assert (tmp_path / "secret_keys").stat().st_mode & 0o077 == 0


def test_a_taken_port_gives_way_to_another(tmp_path):
    """A port in use is no reason to fail: the next free one is taken, and that is said."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as mailing:
        ports = {"api": taken.getsockname()[1], "page": mailing.getsockname()[1]}
        with supervisor(tmp_path, ports=ports) as process:
            said = read_to(process, "Ctrl-C")
    for port, what in ((ports["api"], "the API"), (ports["page"], "the mailbox")):
        other = re.search(rf"Port {port} is taken; {what} uses (\d+)\.", said)[1]
        assert other != str(port)
        assert f"http://localhost:{other}" in said


def test_a_worker_that_falls_is_started_again(tmp_path):
    """The end of a program is said with its last lines, and it's started again; the rest goes on."""
    with supervisor(tmp_path, worker=stand_in("mortal")) as process:
        read_to(process, "Ctrl-C")
        said = read_to(process, "stone")
        assert "The worker ended (exit 5); it starts again in" in said
        while len([note for note in read_notes(tmp_path) if note["role"] == "mortal"]) < 2:
            assert not select.select([process.stdout], [], [], 0.02)[0]
        assert process.poll() is None


@pytest.mark.parametrize("role", ["prepare", "worker", "api"])
def test_a_failed_start_ends_with_what_was_said(tmp_path, role):
    """A program that can't start is named with its last lines; nothing is left running, and the status is 1."""
    with supervisor(tmp_path, **{role: BROKEN}) as process:
        said = read_all(process)
    assert process.returncode == 1
    assert said.endswith("    relation is not there\n")
    assert "(exit 7)" in said


def test_without_postgres_it_ends(tmp_path):
    """A server that ends by itself ends the run, with its log's last lines and status 1."""
    with supervisor(tmp_path) as process:
        read_to(process, "Ctrl-C")
        (pid,) = (pid for pid in children_of(process.pid) if Path(f"/proc/{pid}/comm").read_text() == "postgres\n")
        os.kill(pid, signal.SIGTERM)
        said = read_all(process)
    assert process.returncode == 1
    assert "Postgres ended by itself (exit 0)" in said


def devstack(state, *words):
    return subprocess.run(
        [sys.executable, "-m", "devstack", *words], cwd=ROOT, env={**os.environ, "LOCAL_STATE": str(state)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_port_that_was_asked_for_is_not_exchanged(tmp_path):
    """A port that is named and taken ends the run with exit code 2 and a message; nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = devstack(tmp_path, "run", "--port", port)
    assert done.returncode == 2
    assert done.stdout == f"Port {port} for the API is taken. Name another one, or leave the option out.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_commands_run_with_the_settings_of_the_demo(tmp_path):
    """`./dev cli` is the service's command line on the running demo, and says what to do where none runs."""
    absent = devstack(tmp_path, "cli", "projects", "list")
    assert absent.returncode == 5
    assert "Start it with `./dev run`" in absent.stderr
    with supervisor(tmp_path) as process:
        said = read_to(process, "Ctrl-C")
        assert "./dev cli projects show demo" in said
        assert (tmp_path / "environment").stat().st_mode & 0o777 == 0o600
        found = devstack(tmp_path, "cli", "projects", "list")
        # The stand-in has migrated nothing: the command has reached the demo's own database.
        assert (found.returncode, "migrate" in found.stderr) == (6, True)
    assert devstack(tmp_path, "cli", "projects", "list").returncode == 5
    assert not (tmp_path / "environment").exists()


def test_a_killed_demo_is_not_taken_for_a_running_one(tmp_path):
    """Settings that a killed supervisor left behind lead to servers that are gone: `./dev cli` says that none runs."""
    with supervisor(tmp_path) as process:
        read_to(process, "Ctrl-C")
        process.kill()
        process.wait()
    assert (tmp_path / "environment").exists()
    assert devstack(tmp_path, "cli", "projects", "list").returncode == 5


def test_a_folder_of_the_caller_is_no_part_of_a_command(tmp_path):
    """A command runs in the caller's folder, and a folder there that is called `service` is not taken for ours."""
    here = tmp_path / "here"
    for name in ("service", "devstack"):
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise SystemExit('not this one')")
    with supervisor(tmp_path) as process:
        read_to(process, "Ctrl-C")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "devstack", "cli", "--version"], cwd=here, capture_output=True, text=True,
            env={**os.environ, "LOCAL_STATE": str(tmp_path), "PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_help_needs_no_environment(tmp_path):
    """`./dev run --help` answers where nothing is installed, installs nothing, and names each option of the program."""
    (tmp_path / "dev").write_bytes((ROOT / "dev").read_bytes())
    done = subprocess.run(["bash", tmp_path / "dev", "run", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [tmp_path / "dev"])
    program = devstack(tmp_path, "run", "--help").stdout
    assert set(re.findall(r"--[a-z-]+", done.stdout)) == set(re.findall(r"--[a-z-]+", program)) - {"--help"}


def test_the_lan_reaches_what_it_is_told_to(tmp_path):
    """--host opens API and mailbox on that address, too; links and the project name it, and a warning is shown."""
    host = "127.0.0.2"  # stands for one that others reach
    with supervisor(tmp_path, host=host, prepare=note_words("prepared")) as process:
        said = read_to(process, "Ctrl-C")
        note = next(note for note in read_notes(tmp_path) if note["role"] == "api")
        page = re.search(rf"Mailbox  http://{re.escape(host)}:(\d+) ", said)[1]
        for address in ("127.0.0.1", host):
            socket.create_connection((address, int(page)), timeout=10).close()
    assert (note["HOST"], note["PUBLIC_URL"]) == (f"127.0.0.1,{host}", f"http://{host}:{note['PORT']}")
    assert f"Warning: with --host everybody in the network of {host} reaches the API, the example app and" in said
    app = re.search(rf"App      (http://{re.escape(host)}:\d+) ", said)[1]
    provider = re.search(r"Provider (http://localhost:\d+) ", said)[1]
    assert (tmp_path / "prepared").read_text() == f"demo {host} {app}/ {tmp_path / 'lan_host'} {provider}\n"


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere"])
def test_an_address_of_another_machine_is_no_host(tmp_path, host):
    """--host names an address of this machine that others reach."""
    done = devstack(tmp_path, "run", "--host", host)
    assert (done.returncode, done.stdout.startswith(f"--host {host}: ")) == (1, True)
