"""The command line as a program: what it loads, pipes that are closed, questions at a terminal."""

import os
import pty
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from service.cli.command_table import COMMANDS
from service.db import Pool
from service.store import projects, users
from testkit.patience import PATIENCE
from tests.integration.test_cli import ROOT

# Each takes a tenth of a second or more, or belongs to the API or the worker, or is of use to a running command alone.
HEAVY = {
    "aiohttp", "aiosmtplib", "argon2", "arq", "babel", "bcrypt", "css_inline", "email_validator", "jinja2", "pydantic",
    "pydantic_settings", "redis", "ua_parser", "uvloop",
}  # fmt: skip
# Not even these are loaded to list all commands.
DATABASE = {"asyncio", "asyncpg"}


@pytest.mark.parametrize("words", ["", "--help", "nix", *COMMANDS])
def test_a_command_loads_what_it_needs(words: str):
    """The parser of a command, or of all for --help, is there without the web stack, the queue and the hashes."""
    unwanted = HEAVY if words in COMMANDS else HEAVY | DATABASE
    script = (
        "import sys, service.__main__ as program\n"
        f"program.parser({words.split()!r})\n"
        f"print(*sorted({unwanted!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.split() == []


@pytest.fixture
async def ann(pool: Pool, project: projects.Project) -> None:
    await users.create(pool, "shop", user_id="ann", email="ann@example.com", name="Ann", password_hash=None)


def printed_to(output: IO[bytes] | int, environment: dict[str, str], words: str, **more: Any) -> tuple[int, str]:
    """Exit code and standard error of a command. `users export` writes at once, as a long one does."""
    unbuffered = {"PYTHONUNBUFFERED": "1"} if words.startswith("users export") else {}
    done = subprocess.run(
        [sys.executable, "-m", "service", *words.split()], cwd=ROOT, env=os.environ | environment | unbuffered,
        stdout=output, stderr=subprocess.PIPE, text=True, check=False, timeout=PATIENCE, **more,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "words", ["--help", "projects --help", "limits show shop", "mails list", "mails --help", "users export shop"]
)
def test_a_reader_that_has_seen_enough_is_no_error(environment: dict[str, str], ann: None, words: str):
    """`python -m service … | head` says nothing on standard error, and ends as programs do that a closed pipe ends."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = printed_to(writing, environment, words)
    os.close(writing)
    assert ended == (141, "")


@pytest.mark.parametrize("words", ["--help", "projects list", "mails list", "users export shop"])
def test_a_full_disk_is_told_as_what_it_is(environment: dict[str, str], ann: None, words: str):
    """`python -m service … > file` says that the output can't be written, and why; nobody looks for it at Postgres."""
    with Path("/dev/full").open("wb") as full:
        ended = printed_to(full, environment, words)
    assert ended == (1, "the output can't be written: No space left on device\n")


def test_a_file_on_a_full_disk_is_told_as_what_it_is(environment: dict[str, str], ann: None, tmp_path: Path):
    """So is a file that a command makes: only the fault of opening one has its name."""
    ended = printed_to(
        subprocess.DEVNULL, environment, f"users export shop {tmp_path / 'users.jsonl'}",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )  # fmt: skip
    assert ended == (1, "the output can't be written: File too large\n")


def at_a_terminal(environment: dict[str, str], *words: str, typed: str) -> tuple[int, str]:
    """Exit code and standard error of a command whose standard input is a terminal."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    done = subprocess.run(
        [sys.executable, "-m", "service", *words], cwd=ROOT, env=os.environ | environment, stdin=theirs,
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    return done.returncode, done.stderr


async def test_what_cannot_be_undone_is_asked_about(environment: dict[str, str], pool: Pool, project: projects.Project):
    """Nothing happens without a yes; a project's end needs its id."""
    for typed, code in (("n\n", 2), ("\n", 2), ("y\n", 4)):
        ended, err = at_a_terminal(environment, "keys", "revoke", "shop", "none", typed=typed)
        assert (ended, "can't be undone" in err) == (code, True), err
    for typed in ("y\n", "blog\n"):
        ended, err = at_a_terminal(environment, "projects", "delete", "shop", typed=typed)
        assert (ended, "0 users, 0 keys, 0 unsent mails" in err) == (2, True), err
    assert await projects.find(pool, "shop")
    assert at_a_terminal(environment, "projects", "delete", "shop", typed="shop\n")[0] == 0
    assert await projects.find(pool, "shop") is None


def interrupted(environment: dict[str, str], *words: str) -> tuple[int, str]:
    """Exit code, and what is on standard error after the question, of a command whose user presses Ctrl-C."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "service", *words], cwd=ROOT, env=os.environ | environment, stdin=theirs,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as asking:  # fmt: skip
        assert asking.stderr
        asked = ""
        while not asked.endswith("to go on: "):
            asked += asking.stderr.read(1) or pytest.fail(asked)
        asking.send_signal(signal.SIGINT)
        code, rest = asking.wait(PATIENCE), asking.stderr.read()
    os.close(theirs)
    os.close(ours)
    return code, rest


async def test_an_interrupted_question_is_a_no(environment: dict[str, str], pool: Pool, project: projects.Project):
    """Ctrl-C while a question waits ends the program at once, without a traceback."""
    assert interrupted(environment, "projects", "delete", "shop") == (130, "\n")
    assert await projects.find(pool, "shop")
