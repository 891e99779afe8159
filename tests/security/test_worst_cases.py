"""Texts that are slow to read, for every field and parser: length caps come first, and the work is linear (S46)."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict

from service import email_addresses, i18n
from service.clientinfo import countries, user_agents
from service.crypto.jwts import Jwts
from service.errors import AccountError
from service.http import (
    authorization,
    client_info,
    fields,
    form_body,
    json_body,
    list_queries,
    rate_limit_keys,
    request_target,
    session_cookies,
)
from service.http.fields import sized
from service.links import redirect_policy
from service.settings import Settings
from service.store.projects import Project
from testkit import edge
from testkit.patience import PATIENCE

_PIECES = (
    "a", ".", "@", "-", '"', "\\", "(", "[", "]", ":", "/", "%", "%41", "%ff", "xn--", "0", "1e", "{", "\u0130",
    "\u00df", "\ufdfa", "e\u0301", "\u0300", "=", ";", ",", "&", "?", " ", "+", "*", "~", "\U0001f600", '"a".',
)  # fmt: skip
# A thousand texts of one or two repeated pieces, ended by another one: what backtracking is slowest with.
WORST = [(one + two, two[::-1] + "!") for one, two in itertools.product(_PIECES, repeat=2)][:1000]
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
HOSTNAMES = ("localhost", "*.example.com")


def _read_agent(text: str) -> object:
    return user_agents.parse(client_info.agent_of(text))


# A parser, what stands around the text, and how many characters it is given: more than the caps, up to a whole body.
PARSERS: dict[str, tuple[Callable[[str], object], str, str, int]] = {
    "an address": (email_addresses.canonical, "", "", 254),
    "an address's domain": (email_addresses.canonical, "a@", ".example", 240),
    "a long address": (email_addresses.lookup_form, "a@", ".example", 90_000),
    "a url's path": (lambda text: redirect_policy.check(text, HOSTNAMES), "http://localhost/", "", 2000),
    "a url's host": (lambda text: redirect_policy.check(text, HOSTNAMES), "http://", ".example.com/", 2000),
    "a long url": (lambda text: redirect_policy.check(text, HOSTNAMES), "http://localhost/", "", 90_000),
    "a listed host": (lambda text: redirect_policy.host_allowed(text, HOSTNAMES), "", ".example.com", 8000),
    "an id": (fields.new_id("UserId"), "a", "", 90_000),
    "a name": (fields.plain, "", "", 128),
    "a long name": (sized(0, 128), "", "", 90_000),
    "a query": (list_queries.parse, "", "", 4096),
    "an old query": (list_queries.parse, "equal(", ")", 4080),
    "a long query": (list_queries.parse, "", "", 8000),
    "a cookie": (session_cookies.decode, "", "", 4096),
    "a jar": (lambda text: session_cookies.cookies_of(_asking({"Cookie": text})), "", "", 8000),
    "the fallback": (lambda text: session_cookies.fallback(_asking({"X-Fallback-Cookies": text})), "{", "}", 8000),
    "a user agent": (_read_agent, "Mozilla/5.0 (Linux; Android 10; ", ")", 8000),
    "a language": (i18n.is_locale, "de", "", 8000),
    "a country's language": (countries.negotiate, "de-", "", 24),
    "an origin": (authorization._host_of, "http://", "", 8000),
    "a host": (request_target._HOST.fullmatch, "", "", 8000),
    "a window's value": (rate_limit_keys.mailbox_key, "", "@example.com", 90_000),
    "JSON": (lambda text: json_body.read(text.encode()), '{"a":[', "]}", 20_000),
    "a form": (lambda text: form_body.read(text.encode(), kind=FORM, declared=""), "", "", 20_000),
    "multipart": (lambda text: form_body.read(text.encode(), kind=PARTS, declared="x; boundary=x"),
                  '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n', "\r\n--x--", 20_000),
    "a part's head": (lambda text: form_body.read(text.encode(), kind=PARTS, declared="x; boundary=x"),
                      "--x\r\nContent-Disposition: form-data; name=", "\r\n\r\n\r\n--x--", 20_000),
    "a type": (lambda text: form_body.read(b"--x--", kind=PARTS, declared=text), "x; boundary", "", 256),
}  # fmt: skip


def _asking(lines: dict[str, str]) -> Any:
    """A call with those header lines."""
    return SimpleNamespace(request=SimpleNamespace(headers=CIMultiDict(lines)))


def texts(before: str, behind: str, size: int) -> Iterator[str]:
    return (before + (piece * size)[:size] + end + behind for piece, end in WORST)


@pytest.mark.parametrize("name", PARSERS)
async def test_s46_a_thousand_worst_cases(name: str):
    """Each parser reads or refuses all of them in 5 ms each; what goes by the square would take minutes."""
    parse, before, behind, size = PARSERS[name]
    started = time.process_time()
    for text in texts(before, behind, size):
        with suppress(ValueError, AccountError):
            parse(text)
    assert time.process_time() - started < 5.0
    assert len(WORST) == 1000


async def test_s46_a_token_is_measured_first(settings: Settings):
    """A JWT of any worst case is refused as quickly."""
    jwts = Jwts(settings.key_ring)
    started = time.process_time()  # of this process, whatever else runs
    for text in texts("eyJ.", ".x", 8000):
        with pytest.raises(AccountError):
            jwts.verify("shop", text)
    assert time.process_time() - started < 5.0


async def test_s46_a_language_is_chosen_at_once():
    """As many languages as a header holds are looked through, and no more."""
    catalogues = i18n.Catalogues(i18n.TEMPLATES)
    started = time.process_time()  # of this process, whatever else runs
    for text in texts("", "", 256):
        i18n.choose(catalogues, *text.split(","))
    assert time.process_time() - started < 5.0


@pytest.fixture
async def port(settings: Settings, project: Project) -> AsyncIterator[int]:
    async with edge.edge(settings.model_copy(update={"limits": "off"})) as port:
        yield port


_HEADERS = ("Cookie", "User-Agent", "Accept-Language", "X-Appwrite-Locale", "X-Appwrite-JWT", "X-Appwrite-Session",
            "X-Fallback-Cookies", "X-Appwrite-Response-Format", "Origin", "Referer", "Content-Type", "Accept",
            "X-Forwarded-For", "X-Appwrite-Key")  # fmt: skip


async def test_s46_a_thousand_requests_of_worst_cases(port: int):
    """In headers, the query and fields of a body, over the wire: each has its answer, all of them in half a minute."""
    async with asyncio.timeout(PATIENCE):
        for number, text in enumerate(texts("", "", 7000)):
            header = text.encode().decode("latin-1").translate(dict.fromkeys(range(0x80, 0x100), "x"))[:7900]
            name = _HEADERS[number % len(_HEADERS)]
            body = json.dumps(dict.fromkeys(("email", "url", "userId", "secret", "name"), text * 2)).encode()[:90_000]
            more = "" if name == "Content-Type" else "Content-Type: application/json\r\n"
            raw = (
                f"POST /v1/account/recovery?queries[]=limit HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\n"
                f"{more}{name}: {header}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            status = {"X-Appwrite-JWT": 401, "Origin": 403, "Referer": 403}.get(name, 400)
            assert (await edge.ask(port, raw.encode("latin-1") + body)).status == status, (name, text[:20])
