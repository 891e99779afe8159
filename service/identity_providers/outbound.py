"""HTTP to providers, within bounds: 3.5 seconds, no redirects, no cookies, no proxy, little memory.

No fault holds anything of a request or an answer: both may have secrets.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import aiohttp
import orjson

from service import failpoints, request_errors
from service.identity_providers import addresses
from service.identity_providers.faults import ProviderFailure, ProviderUnavailable
from service.response_bodies import read_up_to

DOCUMENT, ANSWER = 64 * 1024, 256 * 1024
# Seconds. Less than a request has for all its calls (request_time.py): the next request joins none that is lost.
_TOTAL, _CONNECT = 3.5, 2.0
# Calls at a time; a provider that hangs leaves half of them to others.
_AT_ONCE, _OF_ONE = 20, 10
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "accounts"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a provider: `data` is its JSON, whatever the status."""

    status: int
    data: Any = field(repr=False)
    cache_control: str

    @property
    def object(self) -> dict[str, Any]:
        """The JSON object. Raises ProviderFailure for any other JSON."""
        if not isinstance(self.data, dict):
            raise ProviderFailure("its answer is no JSON object")
        return self.data


class Outbound:
    """Connections of one process. `patience` is in seconds, for all of a call and the wait for one of its places."""

    def __init__(self, patience: float = _TOTAL) -> None:
        self._patience = patience
        self._places = asyncio.Semaphore(_AT_ONCE)
        # By host and port, while somebody holds or waits for a place.
        self._places_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self,
        url: str,
        *,
        plain_http: bool,
        most: int = ANSWER,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return await self._call("GET", url, plain_http, most, {"params": query, "headers": headers})

    async def post(
        self, url: str, form: Mapping[str, str], *, plain_http: bool, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return await self._call("POST", url, plain_http, ANSWER, {"data": form, "headers": headers})

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _call(self, method: str, url: str, plain_http: bool, most: int, facts: dict[str, Any]) -> Answer:
        if fault := addresses.fault(url, plain_http=plain_http):
            raise ProviderFailure(f"its address is not to be used: {fault}")
        try:
            async with asyncio.timeout(self._patience), self._places_at(url), self._places:
                if failpoints.armed:
                    await failpoints.reach("provider.fetch.before")
                async with self._open().request(method, url, allow_redirects=False, **facts) as response:
                    answer = _answer(response, await _body(response, most))
                if failpoints.armed:
                    await failpoints.reach("provider.fetch.after")
                return answer
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderUnavailable(request_errors.of(error).text) from None

    def _places_at(self, url: str) -> asyncio.Semaphore:
        return self._places_of.setdefault(urlsplit(url).netloc.lower(), asyncio.Semaphore(_OF_ONE))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._patience, sock_connect=_CONNECT),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    body = await read_up_to(response, most + 1)
    if len(body) > most:
        raise ProviderFailure("its answer is too large")
    return body


def _answer(response: aiohttp.ClientResponse, body: bytes) -> Answer:
    """Read the JSON. Raises ProviderFailure, and ProviderUnavailable for a provider that says it can't now."""
    if response.status >= 500 or response.status == 429:
        raise ProviderUnavailable(f"it answered {response.status}")
    if 300 <= response.status < 400:
        raise ProviderFailure("it redirects")
    try:
        return Answer(response.status, orjson.loads(body), response.headers.get("Cache-Control", ""))
    except ValueError:
        raise ProviderFailure("its answer is no JSON") from None
