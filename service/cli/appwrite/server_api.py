"""The Server API of an Appwrite project, read by an API key. A fault is told without any text that came."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from service.cli.commands import UsageError
from service.crypto.secret import Secret
from service.outages import ServerUnavailable
from service.response_bodies import read_up_to

PAGE = 100
# Form of the answers: the first that has targets and labels. Newer servers know it too.
_FORMAT = "1.5.0"
_PATIENCE, _LARGEST = 60.0, 64 * 1_048_576
# Seconds before each new try, where the server doesn't say; the longest wait that it may ask for.
_PAUSES: tuple[float, ...] = (0.5, 1, 2, 4, 8)
_LONGEST_PAUSE = 300
_TYPE = re.compile(r"[a-z0-9_]{1,64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class SourcePage:
    """Users as the source describes them, and the cursor that the next page begins after."""

    users: list[dict[str, Any]] = field(repr=False)
    cursor: str
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any = field(repr=False)


class _Again(Exception):
    """The same request may succeed later, after so many seconds if the server said so."""

    def __init__(self, fault: str, seconds: float | None = None) -> None:
        super().__init__(fault)
        self.seconds = seconds


class AppwriteApi:
    """Reads from one endpoint in the name of a project; a request is repeated where the server is busy or away."""

    def __init__(self, endpoint: str, project: str, key: Secret | None) -> None:
        self._url = check_endpoint(endpoint)
        if not _ID.fullmatch(project):
            raise UsageError("the source project's id is malformed")
        self.host = urlsplit(self._url).netloc
        self._headers = {"X-Appwrite-Project": project, "X-Appwrite-Response-Format": _FORMAT}
        self._key = {"X-Appwrite-Key": key.reveal()} if key else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_PATIENCE), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _: object, _trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def users(self, cursor: str) -> AsyncIterator[SourcePage]:
        """Read all users after a cursor, oldest first. Raises UsageError and ServerUnavailable."""
        while True:
            queries: list[dict[str, Any]] = [{"method": "limit", "values": [PAGE]}]
            if cursor:
                queries.append({"method": "cursorAfter", "values": [cursor]})
            answer = await self.get("/users", [("queries[]", orjson.dumps(query).decode()) for query in queries])
            self._check(answer)
            page = _page(answer.body)
            if page is None:
                raise ServerUnavailable(f"{self.host} answers with no list of users: does the endpoint end with /v1?")
            if not page.users:
                return
            if page.cursor == cursor:
                raise ServerUnavailable(f"{self.host} answers with the same page again, whatever the cursor")
            cursor = page.cursor
            yield page

    async def get(
        self, path: str, query: list[tuple[str, str]] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Ask with the key, or with other headers in its place. Raises ServerUnavailable after the last try."""
        for pause in (*_PAUSES, None):
            try:
                return await self._ask(path, query or [], self._key if headers is None else headers)
            except _Again as fault:
                if pause is None:
                    raise ServerUnavailable(f"{self.host} {fault}") from None
                await asyncio.sleep(pause if fault.seconds is None else fault.seconds)
        raise AssertionError  # the last try returns or raises

    async def _ask(self, path: str, query: list[tuple[str, str]], who: dict[str, str]) -> Answer:
        assert self._session is not None  # noqa: S101 - it is asked within `async with`
        headers = self._headers | who
        try:
            async with self._session.get(
                self._url + path, params=query, headers=headers, allow_redirects=False
            ) as response:
                if response.status == 429 or response.status >= 500:
                    raise _Again(f"answers {response.status}", _retry_after(response.headers.get("Retry-After", "")))
                body = await _body(response)
        except TimeoutError:
            raise _Again("gives no answer in time") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, ssl.SSLError):
            raise UsageError(f"{self.host}: its certificate or encryption is not to be trusted") from None
        except aiohttp.ClientConnectorError:
            raise _Again("can't be reached") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _Again(f"breaks its answer off ({type(error).__name__})") from None
        try:
            return Answer(response.status, orjson.loads(body))
        except ValueError:
            if response.status != 200:
                return Answer(response.status, None)
            raise _Again("answers with JSON that is cut off, or none") from None

    def _check(self, answer: Answer) -> None:
        """Raise UsageError for anything but a 200."""
        kind = answer.body.get("type") if isinstance(answer.body, dict) else None
        told = f" {kind}" if isinstance(kind, str) and _TYPE.fullmatch(kind) else ""
        match answer.status:
            case 200:
                return
            case 401 | 403:
                fault = "it refuses the API key, which needs the scope users.read"
            case 404:
                fault = "there is no such project, or the endpoint doesn't end with /v1"
            case 400 if kind == "general_cursor_not_found":
                fault = "the user that the state stands at is gone: delete the state file, and start again"
            case status if 300 <= status < 400:
                fault = "it redirects: name the address that it leads to"
            case _:
                fault = "it refuses the request"
        raise UsageError(f"{self.host}: {fault} ({answer.status}{told})")


def check_endpoint(text: str) -> str:
    """Return an endpoint without a slash at its end. Raises UsageError."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.hostname and not parts.username and not parts.query
        _ = parts.port
    except ValueError:
        sound = False
    if not sound:
        raise UsageError("an endpoint is a URL such as https://cloud.appwrite.io/v1")
    return text.rstrip("/")


def _page(body: Any) -> SourcePage | None:
    users = body.get("users") if isinstance(body, dict) else None
    if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
        return None
    cursor = users[-1].get("$id") if users else ""
    if not isinstance(cursor, str) or (users and not cursor):
        return None
    total = body.get("total")
    return SourcePage(users, cursor, total if isinstance(total, int) else None)


def _retry_after(text: str) -> float | None:
    return min(int(text), _LONGEST_PAUSE) if text.isascii() and text.isdigit() and len(text) < 9 else None


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = await read_up_to(response, _LARGEST + 1)
    if len(body) > _LARGEST:
        raise ValueError("too large")
    return body
