"""Argon2id in a bounded pool, so that a flood of logins delays only logins.

Hashes that were made elsewhere are verified by their own method, and replaced at the next login. Each is kept as one
line of text: $argon2…, $2b$… (bcrypt), $scrypt$ln=…,r=…,p=…$salt$hash, or one of service/crypto/weak_hashes.py.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Literal, TypeVar

import bcrypt
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from service import deadlines, tracing, usable_cores
from service.crypto import weak_hashes
from service.crypto.weak_hashes import WeakHash
from service.errors import Overloaded

Result = TypeVar("Result")
Method = Literal["argon2", "bcrypt", "scrypt", "wrapped", "firebase"]

# OWASP's floor: 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# For random codes of 55 bits, which nobody guesses at this cost either; ten are made in one request, and a second of
# hashing would be too much of it on a busy machine.
_CODE_HASHER = PasswordHasher(time_cost=1, memory_cost=4_096, parallelism=1)
# An imported or planted hash may demand more than a server has: KiB, KiB times passes, lanes; bcrypt's cost;
# scrypt's N * r * p. Each is about a second of one core at most.
_MEMORY_CAP, _ARGON2_WORK, _LANES, _BCRYPT_COST, _SCRYPT_WORK = 256 * 1024, 2 * 1024 * 1024, 8, 14, 2**21
_ARGON2 = re.compile(r"\$argon2(?:id|i|d)\$(?:v=\d\d\$)?m=\d{1,7},t=\d{1,4},p=\d{1,3}(?:\$[A-Za-z0-9+/]{11,172}){2}")
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")
_SCRYPT = re.compile(
    r"\$scrypt\$ln=(?P<ln>\d{1,2}),r=(?P<r>\d{1,7}),p=(?P<p>\d{1,4})"
    r"\$(?P<salt>[A-Za-z0-9+/]{0,344})\$(?P<hash>[A-Za-z0-9+/]{22,172})"
)
_QUEUE, _PATIENCE = 64, 2.0
# By so much a hashing thread's priority (nice) is below the event loop's.
_STEP = 5
# Upper bound in seconds of the estimate for one hash: after a pause of the machine a larger one would block all.
_LONGEST = 1.0


@lru_cache(8)
def _form(hasher: PasswordHasher) -> tuple[str, list[int]]:
    """Return how the lines that a hasher makes begin, and how long their salt and digest are."""
    lengths = [-(-length * 4 // 3) for length in (hasher.salt_len, hasher.hash_len)]
    return f"$argon2id$v=19${_cost(hasher)}$", lengths


def _has_form(hasher: PasswordHasher, stored: str) -> bool:
    """Tell a line of this hasher's, as most are, without the library, which takes long to parse one."""
    head, lengths = _form(hasher)
    return stored.startswith(head) and [*map(len, stored[len(head) :].split("$"))] == lengths


def _cost(hasher: PasswordHasher) -> str:
    return f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"


def _decoy(hasher: PasswordHasher) -> str:
    """Make up a hash of nothing, for an answer where there is none to check against: the same work and time.

    To hash something for it would take 19 MB at each start.
    """
    salt, digest = (_unpadded(os.urandom(length)) for length in (hasher.salt_len, hasher.hash_len))
    return f"$argon2id$v=19${_cost(hasher)}${salt}${digest}"


def _step_back() -> None:
    """Lower the thread's priority below the event loop's: without it GET's p99 grew 5.2 times while logins hash.

    No further back than that: beside four busy programs on two cores a hash took 27 s at 19, and 2.4 s at 5.
    """
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _STEP)


class PasswordHashPool:
    """Hash at most `threads` passwords at once; 64 more wait up to 2 s, all others get Overloaded.

    So does a request without enough time left for its hash: a hash that would be too late is not begun.

    `breached` looks a password up among breached ones; it may block.
    """

    def __init__(
        self,
        threads: int = 0,
        *,
        breached: Callable[[str], bool] | None = None,
        observe: Callable[[float], None] | None = None,
    ) -> None:
        """Make a pool; each hash's seconds go to `observe`, in the hash's thread."""
        self._breached, self._observe = breached, observe
        threads = threads or usable_cores.count()
        self._pool = ThreadPoolExecutor(threads, "hash", initializer=_step_back)
        self._free = asyncio.Semaphore(threads)
        self.waiting = 0
        self.refused = 0
        # Running average of the durations of hashes, in seconds.
        self._average = 0.0
        self._nobody, self._no_code = _decoy(_HASHER), _decoy(_CODE_HASHER)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._measured(lambda: _HASHER.hash(password)))

    async def wrap(self, weak: WeakHash) -> str:
        """Make the line to store of a hash that is too weak to be kept."""
        return weak_hashes.wrap(weak, await self.hash(weak.digest.reveal()))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Verify a password; False after the same work where there is no hash to check against."""
        right = await self._run(lambda: self._measured(lambda: self._matches(stored or self._nobody, password)))
        return right and stored is not None

    async def hash_codes(self, codes: Sequence[str]) -> list[str]:
        """Hash random codes, all of them in about the time of one password."""
        return await self._run(lambda: [_CODE_HASHER.hash(code) for code in codes])

    async def find_code(self, stored: Sequence[str], code: str) -> int | None:
        """Return which of some hashes is a random code's; None after the work of one where there are none."""
        lines = stored or (self._no_code,)
        return await self._run(lambda: next((at for at, line in enumerate(lines) if _proves(line, code)), None))

    async def is_breached(self, password: str) -> bool:
        """Look a password up in the operator's file of breached ones; False without one. Reads a disk."""
        breached = self._breached
        return await self._run(lambda: breached(password)) if breached else False

    def _matches(self, stored: str, password: str) -> bool:
        """Verify against one hash; a cheaper method costs an Argon2 hash besides, so that a refusal is no quicker."""
        right = _proves(stored, password)
        # A wrapped hash costs an Argon2 hash already.
        if self.is_outdated(stored) and weak_hashes.find_wrapped(stored) is None:
            _proves(self._nobody, password)
        return right

    @staticmethod
    def is_outdated(stored: str) -> bool:
        """Tell whether the next login should replace the hash."""
        if _has_form(_HASHER, stored):
            return False
        try:
            return _HASHER.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    async def _run(self, work: Callable[[], Result]) -> Result:
        with tracing.span("hash"):
            return await self._run_in_turn(work)

    async def _run_in_turn(self, work: Callable[[], Result]) -> Result:
        patience = min(_PATIENCE, deadlines.seconds_left() - min(self._average, _LONGEST))
        if self.waiting >= _QUEUE or patience <= 0:
            self.refused += 1
            raise Overloaded(retry_after=2)
        if self._free.locked():
            await self._wait_for_turn(patience)
        else:
            await self._free.acquire()  # at once
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        self._pool.submit(self._work, work, loop, answer)
        return await answer

    def _work(
        self, work: Callable[[], Result], loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[Result]"
    ) -> None:
        """Do it, in a thread. run_in_executor makes three futures of it, which cost as much as a statement."""
        result, error = None, None
        try:
            result = work()
        except BaseException as fault:  # noqa: BLE001 - the caller's
            error = fault
        loop.call_soon_threadsafe(self._hand_over, answer, result, error)

    def _hand_over(self, answer: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
        # A thread can't be stopped: a caller who leaves must not let a second hash start beside the running one.
        self._free.release()
        if answer.done():
            return
        if error:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    async def _wait_for_turn(self, patience: float) -> None:
        self.waiting += 1
        try:
            async with asyncio.timeout(patience):
                await self._free.acquire()
        except TimeoutError:
            self.refused += 1
            raise Overloaded(retry_after=2) from None
        finally:
            self.waiting -= 1

    def _measured(self, work: Callable[[], Result]) -> Result:
        began = time.monotonic()
        result = work()
        took = time.monotonic() - began
        self._average += (took - self._average) / 8
        if self._observe:
            self._observe(took)
        return result

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def method_of(stored: str) -> Method | None:
    """Name the method of a hash; None if it can't be verified here, or not at a bearable cost."""
    if _ARGON2.fullmatch(stored):
        return "argon2" if _argon2_is_bearable(stored) else None
    if match := _BCRYPT.fullmatch(stored):
        return "bcrypt" if 4 <= int(match["cost"]) <= _BCRYPT_COST else None
    if _scrypt_parameters(stored):
        return "scrypt"
    if wrapped := weak_hashes.find_wrapped(stored):
        return "wrapped" if method_of(wrapped.line) == "argon2" else None
    return "firebase" if weak_hashes.firebase_parts(stored) else None


def from_scrypt(digest: bytes, *, salt: bytes, n: int, r: int, p: int) -> str:
    """Make the line that stores a scrypt hash; raises ValueError for one that can't be verified here."""
    ln = n.bit_length() - 1
    line = f"$scrypt$ln={ln},r={r},p={p}${_unpadded(salt)}${_unpadded(digest)}"
    if n != 1 << max(ln, 0) or method_of(line) is None:
        raise ValueError("scrypt's parameters are not supported")
    return line


def _unpadded(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _raw(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _argon2_is_bearable(stored: str) -> bool:
    if _has_form(_HASHER, stored):
        return True
    try:
        parameters = extract_parameters(stored)
    except InvalidHashError:
        return False
    work = parameters.memory_cost * parameters.time_cost
    return parameters.memory_cost <= _MEMORY_CAP and work <= _ARGON2_WORK and parameters.parallelism <= _LANES


def _scrypt_parameters(stored: str) -> tuple[int, int, int, bytes, bytes] | None:
    """Parse N, r, p, salt and hash."""
    match = _SCRYPT.fullmatch(stored)
    if not match or len(match["salt"]) % 4 == 1 or len(match["hash"]) % 4 == 1:
        return None
    n, r, p = 1 << int(match["ln"]), int(match["r"]), int(match["p"])
    if n < 2 or not r or not p or n * r * p > _SCRYPT_WORK or n * r > _MEMORY_CAP * 8:
        return None
    return n, r, p, _raw(match["salt"]), _raw(match["hash"])


def _proves(stored: str, password: str) -> bool:
    try:
        match method_of(stored):
            case "argon2":
                return _HASHER.verify(stored, password)
            case "bcrypt":  # the library that made the hash read 72 bytes and no more
                return bcrypt.checkpw(password.encode()[:72], stored.encode())
            case "scrypt":
                return _proves_scrypt(stored, password)
            case "wrapped":
                return _proves_wrapped(stored, password)
            case "firebase":
                return weak_hashes.proves_firebase(stored, password)
    except (Argon2Error, InvalidHashError, ValueError):
        pass
    return False


def _proves_wrapped(stored: str, password: str) -> bool:
    wrapped = weak_hashes.find_wrapped(stored)
    return wrapped is not None and _HASHER.verify(wrapped.line, weak_hashes.digest(wrapped, password))


def _proves_scrypt(stored: str, password: str) -> bool:
    parameters = _scrypt_parameters(stored)
    if parameters is None:
        return False
    n, r, p, salt, digest = parameters
    memory = 128 * r * (n + p + 2) + 2**20
    made = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=len(digest))
    return hmac.compare_digest(made, digest)
