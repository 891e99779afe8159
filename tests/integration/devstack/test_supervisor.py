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

import pytest

ROOT = Path(__file__).parents[3]

SUPERVISOR = textwrap.dedent("""
    import asyncio, json, sys
    from pathlib import Path
    from devstack.supervisor import Commands, Ports, run
    state, commands, ports = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    commands = Commands(**{name: tuple(words) for name, words in commands.items()})
    sys.exit(asyncio.run(run(Path(state), ports=Ports(**ports), commands=commands)))
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

QUICK, EXISTS, HANGING = ["true"], ["sh", "-c", "exit 3"], ["sleep", "1000"]
BROKEN = ["sh", "-c", "echo relation is not there; exit 7"]


def stand_in(role):
    return [sys.executable, "-I", "-S", "-c", STAND_IN, role]


def read_notes(state):
    return [json.loads(line) for line in (state / "notes").read_text().splitlines()]


@contextmanager
def supervisor(state, *, ports=None, **commands):
    """A supervisor in its own process; whatever the test does, it and its children are gone afterwards."""
    ports = {"api": 0, "page": 0, "smtp": 0} | (ports or {})
    usual = {"migrate": QUICK, "create_project": EXISTS, "allow_localhost": QUICK}
    usual |= {"api": stand_in("api"), "worker": stand_in("worker")}
    argv = [sys.executable, "-c", SUPERVISOR, str(state), json.dumps(usual | commands), json.dumps(ports)]
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
        process.send_signal(sign)
        assert read_all(process).split("\n") == ["Stopping ...", ""]
    assert process.returncode == 0
    assert len(children) == 4
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    roles = [note["role"] for note in read_notes(tmp_path)]
    assert roles[-2:] == ["api stopped", "worker stopped"]


def test_ctrl_c_ends_a_start_that_hangs(tmp_path):
    """Somebody who changes their mind during the start isn't left with half of it."""
    with supervisor(tmp_path, migrate=HANGING) as process:
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


@pytest.mark.parametrize("role", ["migrate", "create_project", "allow_localhost", "worker", "api"])
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
