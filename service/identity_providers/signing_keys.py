"""Keys that providers sign ID tokens with, fetched from their JWKS (RFC 7517)."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jwt
from jwt import PyJWK

from service.identity_providers.faults import ProviderFailure
from service.identity_providers.outbound import DOCUMENT, Outbound
from service.identity_providers.shared_fetches import SharedFetches

# Seconds: bounds of what a provider's Cache-Control says, and between two looks for a key that was not there.
_SHORTEST, _LONGEST, _AGAIN = 300.0, 86_400.0, 60.0
# Bits; a check takes time by the square of them.
_LEAST_RSA, _MOST_RSA = 2048, 8192
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=\"?([0-9]{1,9})", re.IGNORECASE)
# Providers have about ten.
_MOST_KEYS = 100
Keys = Mapping[tuple[str, str], PyJWK]


class SigningKeys:
    """Keys of all providers, by the address of their JWKS."""

    def __init__(self, outbound: Outbound, clock: Callable[[], float]) -> None:
        self._outbound = outbound
        self._clock = clock
        self._documents: SharedFetches[Keys] = SharedFetches(clock)
        self._looked_again: dict[str, float] = {}

    async def find(self, url: str, *, kid: str, algorithm: str, plain_http: bool) -> PyJWK | None:
        """Find a key; for an unknown one the JWKS is fetched anew, at most once a minute. Raises ProviderFault."""
        fetch = partial(self._fetch, url, plain_http)
        keys = await self._documents.get((url, plain_http), fetch)
        if (kid, algorithm) not in keys and self._may_look_again(url):
            keys = await self._documents.get_anew((url, plain_http), fetch)
        return keys.get((kid, algorithm))

    async def count(self, url: str, *, plain_http: bool) -> int:
        """Count the keys that could verify a token. Raises ProviderFault."""
        return len(await self._documents.get((url, plain_http), partial(self._fetch, url, plain_http)))

    async def close(self) -> None:
        await self._documents.close()

    def _may_look_again(self, url: str) -> bool:
        now = self._clock()
        if now < self._looked_again.get(url, float("-inf")) + _AGAIN:
            return False
        self._looked_again = {each: at for each, at in self._looked_again.items() if now < at + _AGAIN} | {url: now}
        return True

    async def _fetch(self, url: str, plain_http: bool) -> tuple[Keys, float]:
        answer = await self._outbound.get(url, plain_http=plain_http, most=DOCUMENT)
        listed = answer.object.get("keys") if answer.status == 200 else None
        if not isinstance(listed, list):
            raise ProviderFailure("its signing keys can't be read")
        return dict(_keys(listed)), _seconds(answer.cache_control)


def _keys(listed: list[Any]) -> list[tuple[tuple[str, str], PyJWK]]:
    """Read the public keys that sign; what else is listed is left out."""
    found = []
    for entry in listed[:_MOST_KEYS]:
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or entry.get("use", "sig") != "sig":
            continue
        algorithm = _algorithm(entry)
        key = _key(entry, algorithm) if algorithm else None
        if key is not None:
            found.append(((entry["kid"], algorithm), key))
    return found


def _algorithm(entry: dict[str, Any]) -> str:
    """Return the one algorithm that we use a key with; "" for other keys: a shared secret must never verify."""
    kind = (entry.get("kty"), entry.get("crv"))
    found = "RS256" if kind == ("RSA", None) else "ES256" if kind == ("EC", "P-256") else ""
    return found if entry.get("alg", found) == found else ""


def _key(entry: dict[str, Any], algorithm: str) -> PyJWK | None:
    public: dict[str, Any] = {name: entry[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in entry}
    try:
        key = PyJWK(public, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return key if algorithm != "RS256" or _LEAST_RSA <= key.key.key_size <= _MOST_RSA else None


def _seconds(cache_control: str) -> float:
    found = _MAX_AGE.search(cache_control)
    return min(max(float(found[1]) if found else 0.0, _SHORTEST), _LONGEST)
