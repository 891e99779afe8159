"""Access tokens for XOAUTH2: fetched over HTTP, cached until shortly before they expire, shared by all connections.

A failure holds nothing of a token or a client secret: of a token server's answer only its error code is kept.
"""

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from service import request_errors
from service.response_bodies import read_up_to
from service.store.outbox_outcomes import Cause
from worker.relays.outcomes import TemporaryFailure
from worker.relays.smtp import oauth_grants
from worker.relays.smtp.oauth_grants import Grant, InvalidGrantFile

# Seconds for an answer of the token server; least seconds between two tokens that a relay refuses.
_PATIENCE, _AGAIN = 10.0, 60.0
# A token is renewed so long before its end, or when a tenth of its life is left if that is less.
_SLACK = 300.0
# Lifetime of a token whose server gives none (RFC 6749 5.1 leaves it open).
_DEFAULT_LIFE = 300.0
_LONGEST = 64 * 1024
_TOKEN = re.compile(r"[!-~]{1,16384}")
_CODE = re.compile(r"[a-z_]{1,40}")
# Microsoft gives the cause as a number: a wrong secret, an expired one, an unknown application.
_AADSTS = re.compile(r"\bAADSTS\d{4,9}\b")
_PASSING = frozenset({"server_error", "temporarily_unavailable", "slow_down"})


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str = field(repr=False)
    until: float


class AccessTokens:
    """Tokens of one mailbox. The grant file is read for each new token: a changed secret needs no restart."""

    def __init__(self, path: str, user: str) -> None:
        self._path = path
        self._user = user
        self._asking = asyncio.Lock()
        self._kept: _Kept | None = None
        self._fault: tuple[str, Cause] = ("", "server")
        self._failed_at = self._refused_at = float("-inf")

    async def get(self) -> str:
        """Return a valid token; concurrent callers share one request. Raises TemporaryFailure."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._asking:
            if self._kept is not None and self._kept.until > loop.time():
                return self._kept.value
            if self._failed_at < began:
                await self._ask()
            if self._kept is not None:
                return self._kept.value
        text, cause = self._fault
        raise TemporaryFailure(0, text, "auth", cause)

    def discard(self, refused: str) -> bool:
        """Discard a token that the relay refused; return whether to fetch another, at most once a minute."""
        if self._kept is None or self._kept.value != refused:
            return True
        now = asyncio.get_running_loop().time()
        if now < self._refused_at + _AGAIN:
            return False
        self._kept, self._refused_at = None, now
        return True

    async def _ask(self) -> None:
        self._kept = None
        requested_at = asyncio.get_running_loop().time()
        answer: _Kept | tuple[str, Cause]
        try:
            grant = oauth_grants.read_grant(self._path)
            async with asyncio.timeout(_PATIENCE):
                status, body = await _post(grant, self._user)
            answer = _read(status, body, requested_at)
        except Exception as error:  # noqa: BLE001 - any error means that there is no token
            answer = _of_error(error)
        if isinstance(answer, _Kept):
            self._kept = answer
        else:
            self._fault, self._failed_at = answer, asyncio.get_running_loop().time()


async def _post(grant: Grant, user: str) -> tuple[int, bytes]:
    """Return status and body. Redirects are not followed: they would carry the secret elsewhere."""
    # In a thread, because reading all the system's certificates takes a while.
    trusted = await asyncio.to_thread(ssl.create_default_context, cafile=grant.ca)
    async with (
        aiohttp.ClientSession(headers={"Accept": "application/json"}) as session,
        session.post(grant.token_url, data=grant.form(user), ssl=trusted, allow_redirects=False) as response,
    ):
        return response.status, await read_up_to(response, _LONGEST + 1)


def _read(status: int, body: bytes, requested_at: float) -> _Kept | tuple[str, Cause]:
    answer = _object(body)
    if status == 200:
        token, life = answer.get("access_token"), answer.get("expires_in", _DEFAULT_LIFE)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            return "the token server's answer holds no token", "ours"
        seconds = _seconds(life)
        return _Kept(token, requested_at + seconds - min(_SLACK, seconds / 10))
    code, number = answer.get("error"), _AADSTS.search(str(answer.get("error_description", "")))
    words = [str(status)]
    if isinstance(code, str) and _CODE.fullmatch(code):
        words.append(code)
    if number:
        words.append(number[0])
    passes: Cause = "server" if status >= 500 or status in (408, 425, 429) or code in _PASSING else "ours"
    return f"the token server gave no token: {' '.join(words)}", passes


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(life: object) -> float:
    """Read a lifetime; some servers write the number as text."""
    try:
        seconds = float(life) if isinstance(life, int | float | str) else _DEFAULT_LIFE
    except ValueError:
        return _DEFAULT_LIFE
    return min(seconds, 86400.0) if seconds > 0 else _DEFAULT_LIFE


def _of_error(error: Exception) -> tuple[str, Cause]:
    """Describe an error; only our own are quoted, others may hold what was sent."""
    if isinstance(error, InvalidGrantFile):
        return str(error), "ours"
    fault = request_errors.of(error)
    passes = fault.stage != "tls" and isinstance(error, aiohttp.ClientError | OSError)
    return f"the token server can't be asked: {fault.text}", "server" if passes else "ours"
