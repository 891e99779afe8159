"""A request through all proxies to the running service, to see for whom it takes us."""

import http.client
import ssl
import time
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

import orjson

from service import whoami
from service.cli.verbs import WrongWords
from service.settings import Settings

# RFC 5737: nobody's address. A client could write any other.
_INVENTED = "203.0.113.77"
_PATIENCE = 10
State = Literal["well", "look", "wrong"]
Told = tuple[str, State, str]


def ask(url: str, settings: Settings) -> list[Told]:
    """About what, in which state, in words. Raises WrongWords for what is no http or https address."""
    scheme, host, port = _parts(url)
    try:
        status, body = _get(scheme, host, port, settings)
        found = orjson.loads(body) if status == http.client.OK else None
    except (OSError, ValueError, http.client.HTTPException) as error:
        return [("through", "wrong", f"{url} can't be asked: {type(error).__name__}")]
    if not isinstance(found, dict) or not found.keys() >= {"believed", "peer", "forwarded", "trusted_hops"}:
        return [("through", "wrong", f"{url} answered {status}: not this service, other SECRET_KEYS, or another clock")]
    return list(_judge(found))


def _parts(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in ("http", "https") or not host:
        raise WrongWords("--through takes an address such as https://accounts.example.com")
    return scheme, host, port


def _get(scheme: str, host: str, port: int | None, settings: Settings) -> tuple[int, bytes]:
    wire = (
        http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=ssl.create_default_context())
        if scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    )
    proof = whoami.proof(settings.key_ring, now=int(time.time()))
    try:
        wire.request("GET", whoami.PATH, headers={whoami.HEADER: proof, "X-Forwarded-For": _INVENTED})
        answer = wire.getresponse()
        return answer.status, answer.read(65_536)
    finally:
        wire.close()


def _judge(found: dict[str, object]) -> Iterator[Told]:
    """An invented address was sent along; what proxies put behind it is what may be counted."""
    hops = found["forwarded"]
    hops = hops if isinstance(hops, list) else []
    # A proxy that replaces the header leaves nothing of ours in it.
    proxies = len(hops) - 1 if hops[:1] == [_INVENTED] else len(hops)
    yield "client address", "well", f"{found['believed']} is believed, the connection is {found['peer']}'s"
    trusted = found["trusted_hops"]
    if found["believed"] == _INVENTED:
        yield "TRUSTED_HOPS", "wrong", f"is {trusted}: clients choose their own address; {proxies} is right here"
    elif trusted != proxies:
        yield "TRUSTED_HOPS", "wrong", f"is {trusted}, but {proxies} proxies add an address: {proxies} is right here"
    else:
        yield "TRUSTED_HOPS", "well", f"{trusted} is right here"
