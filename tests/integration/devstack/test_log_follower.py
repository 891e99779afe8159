"""The log of a program on the terminal of `./dev run`."""

import asyncio
from contextlib import asynccontextmanager

from devstack.log_follower import Follower, follow


def append(log, content):
    with log.open("ab") as file:
        file.write(content)


@asynccontextmanager
async def following(log):
    shown = asyncio.Queue()
    task = asyncio.create_task(follow("api", log, show=shown.put_nowait))
    await asyncio.sleep(0)  # until it has seen where the log ends
    try:
        yield shown
    finally:
        task.cancel()


async def test_lines_that_are_added_are_shown(tmp_path):
    """Each line logged after the start is shown behind the program's name; what was there before is not."""
    log = tmp_path / "api.log"
    log.write_bytes(b'{"message":"of an earlier run"}\n')
    async with following(log) as shown:
        append(log, b'{"message":"one"}\n12:30:00.125 INFO  GET /v1/account 200 3 ms\n')
        assert await shown.get() == 'api    {"message":"one"}'
        assert await shown.get() == "api    12:30:00.125 INFO  GET /v1/account 200 3 ms"
        append(log, b"12:30:00.126 INFO  next\n")
        assert await shown.get() == "api    12:30:00.126 INFO  next"


def test_half_a_line_waits_for_its_end(tmp_path):
    """A line is shown once and whole, however it was written; bytes that are no UTF-8 don't stop it."""
    log = tmp_path / "api.log"
    log.touch()
    follower = Follower(log)
    append(log, b'{"message":')
    assert list(follower.added()) == []
    append(log, b'"\xff"}\n{"message"')
    assert list(follower.added()) == ['{"message":"\ufffd"}']
    append(log, b':"two"}\n')
    assert list(follower.added()) == ['{"message":"two"}']
    assert list(follower.added()) == []


def test_what_was_not_logged_is_not_shown(tmp_path):
    """Output of a crash is left to the supervisor, which shows its end once."""
    log = tmp_path / "api.log"
    log.touch()
    follower = Follower(log)
    append(log, b"Traceback (most recent call last):\n  File x\n{}\n")
    assert list(follower.added()) == ["{}"]


def test_a_new_file_in_its_place_is_read_from_its_beginning(tmp_path):
    """A log that grew too large is put aside when its program starts again; the new one is shown whole."""
    log = tmp_path / "api.log"
    log.write_bytes(b"{}\n" * 100)
    follower = Follower(log)
    append(log, b'{"half')
    assert list(follower.added()) == []
    log.replace(tmp_path / "api.log.old")
    assert list(follower.added()) == []
    append(log, b'{"message":"new"}\n')
    assert list(follower.added()) == ['{"message":"new"}']
