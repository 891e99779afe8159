"""Argon2id in a bounded pool."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from service.crypto import password_hashing as module
from service.crypto.password_hashing import PasswordHashPool
from service.deadlines import Deadline
from service.errors import Overloaded


@pytest.fixture
async def passwords():
    made = PasswordHashPool(threads=1)
    yield made
    made.close()


async def test_a_hash_opens_for_its_password_only(passwords: PasswordHashPool):
    """Right is right; another case, a cut one, one letter more and the NFD form are wrong."""
    stored = await passwords.hash("Pässword 1")
    assert await passwords.verify(stored, "Pässword 1") is True
    for wrong in ("pässword 1", "Pässword ", "Pässword 11", "", "Pa\u0308ssword 1"):
        assert await passwords.verify(stored, wrong) is False


async def test_long_passwords_count_to_their_last_byte(passwords: PasswordHashPool):
    """Nothing is cut at 72 bytes."""
    stored = await passwords.hash("p" * 255 + "a")
    assert await passwords.verify(stored, "p" * 255 + "b") is False


async def test_the_parameters_are_owasps_floor(passwords: PasswordHashPool):
    """Argon2id, 19 MiB, two passes, one lane; each hash has a salt of its own."""
    first, second = await passwords.hash("x"), await passwords.hash("x")
    assert first != second
    found = extract_parameters(first)
    assert (found.type.name, found.memory_cost, found.time_cost, found.parallelism) == ("ID", 19_456, 2, 1)


async def test_nobodys_password_is_never_right(passwords: PasswordHashPool):
    """An account without a hash accepts no password."""
    assert await passwords.verify(None, "anything") is False
    assert await passwords.verify("", "anything") is False


async def test_nobodys_password_costs_as_much_as_any(passwords: PasswordHashPool):
    """A password or code of an unknown user is checked against a whole hash of today's parameters."""
    code = (await passwords.hash_codes(["x"]))[0]
    for decoy, real in ((passwords._nobody, await passwords.hash("x")), (passwords._no_code, code)):
        assert extract_parameters(decoy) == extract_parameters(real)
        with pytest.raises(VerifyMismatchError):
            PasswordHasher().verify(decoy, "x")


@pytest.mark.parametrize("stored", ["junk", "$argon2id$v=19$m=19456", "$2b$12$abcdefghijklmnopqrstuv", "x" * 5000])
async def test_a_hash_that_is_none_opens_nothing(passwords: PasswordHashPool, stored: str):
    """A planted or broken row is a wrong password and not an error."""
    assert await passwords.verify(stored, "x") is False


async def test_a_planted_hash_can_not_take_all_memory(passwords: PasswordHashPool):
    """A row that asks for a gigabyte is refused unread."""
    huge = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x").replace("m=8192", "m=1048576")
    assert await passwords.verify(huge, "x") is False


def test_weaker_hashes_are_outdated():
    """Whatever is below today's parameters is to be renewed."""
    assert PasswordHashPool.is_outdated(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x"))
    assert not PasswordHashPool.is_outdated(module._HASHER.hash("x"))


async def test_who_finds_the_queue_full_is_sent_away(passwords: PasswordHashPool):
    """One thread and 64 waiting: the next is told at once to come again, and nobody before him is lost."""
    gate = threading.Event()
    running = asyncio.create_task(passwords._run(gate.wait))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(passwords._run(lambda: True)) for _ in range(64)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as refusal:
        await passwords.hash("x")
    assert refusal.value.retry_after == 2
    gate.set()
    assert await asyncio.gather(running, *waiting) == [True] * 65


async def test_who_waits_too_long_is_sent_away(passwords: PasswordHashPool, monkeypatch: pytest.MonkeyPatch):
    """A place in the queue lasts so long and no longer; it is free again afterwards."""
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    gate = threading.Event()
    running = asyncio.create_task(passwords._run(gate.wait))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await passwords.hash("x")
    assert (passwords.waiting, passwords.refused) == (0, 1)
    gate.set()
    assert await running is True
    assert await passwords._run(lambda: "next") == "next"


async def test_a_caller_who_leaves_keeps_his_place(passwords: PasswordHashPool):
    """A thread can't be stopped: until it ends, no second hash starts beside it."""
    gate, started = threading.Event(), threading.Event()

    def work() -> bool:
        started.set()
        return gate.wait()

    gone = asyncio.create_task(passwords._run(work))
    await asyncio.to_thread(started.wait)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert passwords._free.locked()
    gate.set()
    assert await passwords._run(lambda: 5) == 5


async def test_hashing_steps_back_for_the_event_loop(passwords: PasswordHashPool):
    """Hash threads are nicer than the loop's own thread, and not so nice that a busy machine lets none of them run.

    Under systemd's Nice=10 too: only root could give a thread a fixed priority above that.
    """
    assert await passwords._run(_own_priority) == _own_priority() + 5
    nicer = PasswordHashPool(threads=1)
    with ThreadPoolExecutor(1) as threads:
        found = await asyncio.get_running_loop().run_in_executor(threads, _started_nicer, nicer)
    assert found == _own_priority() + 3 + 5
    nicer.close()


def _own_priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def _started_nicer(passwords: PasswordHashPool) -> int:
    """Have the pool start its thread from one that is nicer, whose priority it takes over."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _own_priority() + 3)
    return asyncio.run(passwords._run(_own_priority))


async def test_random_codes_have_a_lighter_hash(passwords: PasswordHashPool):
    """Ten cost about one password: they are made in one request. Each opens for its own code only, none for nobody."""
    stored = await passwords.hash_codes(["0abcdefghjkm", "1abcdefghjkm"])
    assert [await passwords.find_code([each], "0abcdefghjkm") for each in stored] == [0, None]
    assert await passwords.find_code([*reversed(stored)], "0abcdefghjkm") == 1
    assert await passwords.find_code([], "0abcdefghjkm") is None
    found, whole = extract_parameters(stored[0]), extract_parameters(await passwords.hash("correct horse"))
    assert found.type is whole.type
    assert 10 * found.time_cost * found.memory_cost <= 1.1 * whole.time_cost * whole.memory_cost


async def test_a_hash_that_would_be_too_late_is_not_begun(passwords: PasswordHashPool):
    """A request waits for a thread as long as it has time left, less what a hash takes of late: no work for nobody."""
    loop, began = asyncio.get_running_loop(), []
    deadline = Deadline(loop.time() + 60, loop)
    await passwords.hash("x")
    assert 0 < passwords._average < 60
    deadline.move(loop.time() + passwords._average / 2)
    with pytest.raises(Overloaded) as refusal:
        await passwords._run(lambda: began.append(1))
    assert (refusal.value.retry_after, began, passwords.waiting) == (2, [], 0)
    deadline.move(loop.time() + 60)
    passwords._average = 1000.0  # a machine that stood still
    await passwords._run(lambda: began.append(1))
    deadline.end()
    assert began == [1]
