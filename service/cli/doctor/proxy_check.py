"""A request through all proxies to the running service, to compare the client address that it sees."""

import http.client
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlsplit

import orjson

from service.cli.commands import UsageError
from service.cli.findings import Finding
from service.crypto import proxy_probe
from service.http import forwarded

if TYPE_CHECKING:
    from service.settings import Settings

# RFC 5737: an address without a host. A client could write any other.
_INVENTED = "203.0.113.77"
_SENT = {"X-Forwarded-For": _INVENTED, "Forwarded": f"for={_INVENTED}"}
_ANSWERS = {"believed": str, "peer": str, "forwarded": dict, "header": str, "trusted_hops": int}
_TIMEOUT = 10


def check(url: str, settings: "Settings") -> list[Finding]:
    """Check through a URL. Raises UsageError for a bad one."""
    scheme, host, port = _parts(url)
    try:
        status, body = _get(scheme, host, port, settings)
        found = orjson.loads(body) if status == http.client.OK else None
    except (OSError, ValueError, http.client.HTTPException) as error:
        return [Finding("through", "fail", f"{url} can't be asked: {type(error).__name__}")]
    if not _is_answer(found):
        return [
            Finding(
                "through", "fail", f"{url} answered {status}: not this service, other SECRET_KEYS, or another clock"
            )
        ]
    return list(_judge(found))


def _parts(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in ("http", "https") or not host:
        raise UsageError("--through takes an address such as https://accounts.example.com")
    return scheme, host, port


def _get(scheme: str, host: str, port: int | None, settings: "Settings") -> tuple[int, bytes]:
    wire = (
        http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=ssl.create_default_context())
        if scheme == "https"
        else http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    )
    proof = proxy_probe.sign(settings.key_ring, now=int(time.time()))
    try:
        wire.request("GET", proxy_probe.PATH, headers={proxy_probe.HEADER: proof, **_SENT})
        answer = wire.getresponse()
        return answer.status, answer.read(65_536)
    finally:
        wire.close()


def _is_answer(found: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(found, dict) and all(isinstance(found.get(name), kind) for name, kind in _ANSWERS.items())


def _judge(found: dict[str, Any]) -> Iterator[Finding]:
    """Judge the hops behind an invented address in either header; only what proxies added may be counted."""
    header, trusted, believed = found["header"], found["trusted_hops"], found["believed"]
    added = {name: _added(name, hops) for name, hops in found["forwarded"].items()}
    proxies = len(added.get(header, ()))
    yield Finding("client address", "ok", f"{believed} is believed, the connection is {found['peer']}'s")
    other = next((name for name, hops in added.items() if hops and not proxies), "")
    if other:
        yield Finding("FORWARDED_HEADER", "fail", f"is {header}, but the proxies write {other}: {other} is right here")
        proxies = len(added[other])
    if believed == _INVENTED:
        yield Finding(
            "TRUSTED_HOPS", "fail", f"is {trusted}: clients choose their own address; {proxies} is right here"
        )
    elif trusted != proxies:
        yield Finding(
            "TRUSTED_HOPS", "fail", f"is {trusted}, but {proxies} addresses are added: {proxies} is right here"
        )
    else:
        yield Finding("TRUSTED_HOPS", "ok", f"{trusted} is right here")
    yield from _unread(other or header, added.get(other or header, [])[:1])


def _added(header: str, hops: list[str]) -> list[str]:
    """List the addresses that the proxies added; a proxy that replaces the header leaves none of the client's."""
    return hops[1:] if hops[:1] == [_SENT.get(header)] else hops


def _unread(header: str, outermost: list[str]) -> Iterator[Finding]:
    """Check that the outermost proxy wrote an address: otherwise all clients count as one proxy, and share windows."""
    for element in outermost:
        if forwarded.parse_element(element, "Forwarded" if header == "Forwarded" else "X-Forwarded-For") is None:
            yield Finding(
                header, "fail", f"says {element[:80]!r} of its client, which is no address: the proxy's is taken"
            )
