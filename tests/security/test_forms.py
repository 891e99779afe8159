"""Bodies that are no JSON: few fields, one codec, nothing unpacked, and a bound on all of it (docs/security.md S82)."""

import asyncio
import json
import random
import socket
import struct
import time
import warnings
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from service.settings import Settings
from service.store.projects import Project
from testkit import edge, processes
from testkit.api import Api

pytestmark = pytest.mark.unlimited

FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
MISSING = 'Param "email" is not optional.'
LOGIN = {"email": "ann@example.com", "password": "correct horse"}


@pytest.fixture
async def port(settings: Settings, project: Project) -> AsyncIterator[int]:
    async with edge.edge(settings) as port:
        yield port


def raw(body: bytes, kind: str = "application/json", more: str = "", *, length: bool = True) -> bytes:
    size = f"Content-Length: {len(body)}\r\n" if length else ""
    start = "POST /v1/account/sessions HTTP/1.1\r\nHost: localhost\r\nX-Appwrite-Project: shop\r\n"
    return f"{start}Content-Type: {kind}\r\n{size}{more}\r\n".encode() + body


def part(value: bytes, head: str = 'Content-Disposition: form-data; name="email"') -> bytes:
    return b"--x\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"


def parts(*found: bytes) -> bytes:
    return b"".join(found) + b"--x--\r\n"


GOOD = [
    part(LOGIN["email"].encode(), head) + part(LOGIN["password"].encode(), head.replace("email", "password"))
    for head in (
        'Content-Disposition: form-data; name="email"', "content-disposition: Form-Data;name=email",
        'Content-Disposition: form-data; name="email"\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 15',
        'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="email"',
        'Content-Disposition: form-data; name="email"\r\nContent-Transfer-Encoding: binary',
    )
]  # fmt: skip


@pytest.mark.parametrize("body", GOOD)
async def test_s82_multipart_as_clients_write_it(api: Api, body: bytes):
    """Fields of the usual libraries are fields; a file beside them, however large its name, is none."""
    await api.sign_up()
    file = part(b"x", f'Content-Disposition: form-data; name="password"; filename="{"a" * 5000}"')
    for written in (parts(body), parts(body, file), parts(file, body), b"preamble\r\n" + parts(body)):
        for kind in (PARTS, 'multipart/form-data; charset=utf-8; boundary="x"'):
            answer = await api.call("POST", "/v1/account/sessions", data=written, headers={"Content-Type": kind})
            assert answer.status == 201, answer.data


def squarely_slow() -> bytes:
    """A text that punycode reads in two seconds."""
    chance = random.Random(82)
    return b"-" + bytes(chance.choice(b"abcdefghijk") for _ in range(96_000))


MANY_FIELDS = raw(b"&" * 98_000, FORM)
SLOW = [
    raw(squarely_slow(), f"{FORM}; charset=punycode"),
    raw(b"email=" + b"%62" * 32_000, f"{FORM}; charset=punycode"),
    raw(parts(part(squarely_slow(), 'Content-Disposition: form-data; name="email"\r\nContent-Type: text/plain; '
                   "charset=punycode")), PARTS),
    raw(parts(part(b"punycode", 'Content-Disposition: form-data; name="_charset_"'), part(squarely_slow())), PARTS),
    *(raw(b"email=a", kind[:7900]) for kind in (
        '"' * 7900, f"{FORM};" + ";" * 7900, f"{FORM};" + "x=1;" * 1900, "application/json " + "(a)" * 2600,
        f"{FORM};x=" + "(" * 7800, f"{FORM};" + '"' * 7800, f"{FORM};" + "x*1=a;" * 1200, "/" * 7900,
        "multipart/form-data" + "; boundary" * 700, "multipart/form-data" + " " * 7800 + "; boundary=x",
    )),
    *(raw(parts(*[part(b"a", f'Content-Disposition: form-data; name="email{junk}')] * 11), PARTS) for junk in (
        '"; ' + '"' * 7900, "[" * 7900, '"; filename*=' + "punycode''" + "b" * 7800, "\\" * 7900, '"' + ";x*1=a" * 1200,
    )),
    MANY_FIELDS, raw(b"=" * 98_000, FORM), raw(b"[" * 98_000, FORM), raw(b"a[" * 49_000 + b"=", FORM),
    raw(b"%" * 98_000, FORM), raw(b"email[]=" * 900, FORM), raw(b"\r\n--" * 24_000, PARTS), raw(b"--x" * 32_000, PARTS),
    raw(b"\r\n" * 49_000, PARTS), raw(parts(part(b"", "")) + b"--x\r\n" * 19_000, PARTS),
]  # fmt: skip


async def test_s82_no_form_takes_long(port: int):
    """Codecs, types and parts that readers take time over by the square: ten rounds of all in what one alone took."""
    started = time.process_time()  # of this process, client and server, whatever else runs
    for _ in range(10):
        for request in SLOW:
            answer = await edge.ask(port, request)
            assert answer.status == (413 if request == MANY_FIELDS else 400)
            assert answer.data["type"] == "general_argument_invalid"
    assert time.process_time() - started < 20.0


@pytest.mark.parametrize("kind", [*(f"{FORM}; charset={name}" for name in (
    "punycode", "idna", "utf-7", "utf-16", "unicode_escape", "latin-1", "cp037", "hex", "zlib", "undefined", '"utf-7"',
))])  # fmt: skip
async def test_s82_a_form_has_one_codec(port: int, kind: str):
    """It is UTF-8, as JSON is: what names another one has no fields, and none is looked for by its name."""
    told = await edge.ask(port, raw(b"email=ann%40example.com&password=correct+horse", kind))
    assert (told.status, told.data["message"]) == (400, MISSING)


AMBIGUOUS = [
    parts(part(b"a")).replace(b"--x--", b"--x-"), parts(part(b"a")) + parts(part(b"b")), parts(part(b"a")) + b"more",
    parts(part(b"a", "X: y")), parts(part(b"a", 'Content-Disposition: form-data; name="email"\r\n' * 2 + "A: b")),
    parts(part(b"a", 'Content-Disposition: attachment; name="email"')), parts(part(b"a\xff")),
    parts(part(b"a", 'Content-Disposition: form-data; name="email"\r\nContent-Encoding: gzip')),
    parts(part(b"YQ==", 'Content-Disposition: form-data; name="email"\r\nContent-Transfer-Encoding: base64')),
    parts(part(b"a")).replace(b"--x\r\n", b"--xy\r\n"), parts(part(b"a")).replace(b"\r\n", b"\n"),
    parts(part(b"a", 'Content-Disposition: form-data; name="em\\"ail"')), b"--x", b"x",
]  # fmt: skip


@pytest.mark.parametrize("body", AMBIGUOUS)
async def test_s82_multipart_has_one_reading(port: int, body: bytes):
    """A part that two readers could split differently, or that is encoded, has no fields."""
    told = await edge.ask(port, raw(body, PARTS))
    assert (told.status, told.data["message"]) == (400, MISSING)


@pytest.mark.parametrize(
    "head",
    [
        'form-data; name="email"; name="password"', 'form-data; name="email"; name="email"', "form-data; name=a;NAME=b",
        'form-data; name="email"; filename="x"; name="password"', "form-data; name=\"email\"; name*=UTF-8''password",
        'form-data; name="email" ; name = "password"', 'form-data; x="; name=\\"a"; name="email"; name="b"',
    ],
)  # fmt: skip
async def test_s82_a_part_is_named_once(port: int, head: str):
    """A part with two names is a field that stands twice: two readers would each take another."""
    told = await edge.ask(port, raw(parts(part(b"a", f"Content-Disposition: {head}")), PARTS))
    assert (told.status, told.data["message"]) == (400, "The request body must not contain a field twice.")


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=x; boundary=y", 'multipart/form-data; a="; boundary=y"; boundary=z',
        "multipart/form-data; boundary=y; Boundary=x", 'multipart/form-data; boundary="x', "multipart/form-data",
        f"{FORM}; charset=utf-8; charset=latin-1", f"{FORM}; charset = latin-1",
    ],
)  # fmt: skip
async def test_s82_a_types_parameter_stands_once(port: int, kind: str):
    """A boundary or charset that stands twice, or within another's quotes, is none."""
    body = b"email=a" if kind.startswith(FORM) else parts(part(b"a"))
    told = await edge.ask(port, raw(body, kind))
    assert (told.status, told.data["message"]) == (400, MISSING)


async def test_s82_a_parts_parameters_in_any_order(api: Api):
    """The name may follow others, and what stands in another's quotes is no name."""
    await api.sign_up()
    heads = [f'Content-Disposition: form-data; x="; name=y"; name="{name}";' for name in LOGIN]
    body = parts(*(part(value.encode(), head) for value, head in zip(LOGIN.values(), heads, strict=True)))
    answer = await api.call("POST", "/v1/account/sessions", data=body, headers={"Content-Type": PARTS})
    assert answer.status == 201, answer.data


async def test_s82_junk_is_neither_printed_nor_kept(port: int):
    """A library's warning about a part holds the part: none is given, so no line and no memory is made of it."""
    with edge.lines() as log, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for junk in ("form-data; canary", 'form-data; name="canary', "canary", 'form-data; name="a"; canary*=x'):
            await edge.ask(port, raw(parts(part(b"canary", f"Content-Disposition: {junk}")), PARTS))
    assert not warned
    assert "canary" not in log.getvalue()


@pytest.mark.parametrize("count", [1000, 1001])
async def test_s82_a_thousand_fields(port: int, count: int):
    """A thousand are read, in either form; one more is too large, whatever they weigh."""
    many = [f"f{number}" for number in range(count)]
    for request in (
        raw("&".join(f"{name}=" for name in many).encode(), FORM),
        raw(parts(*(part(b"", f'Content-Disposition: form-data; name="{name}"') for name in many)), PARTS),
    ):
        told = await edge.ask(port, request)
        assert told.status == (400 if count == 1000 else 413)


FLOODS = {
    "one large body": (b"a" * 65_536, b"", "Content-Length: 999999999\r\n"),
    "large chunks": (b"10000\r\n" + b"a" * 65_536 + b"\r\n", b"", "Transfer-Encoding: chunked\r\n"),
    "tiny chunks": (b"1\r\na\r\n" * 10_000, b"", "Transfer-Encoding: chunked\r\n"),
    "a chunk's extension": (b"a" * 65_536, b"1;", "Transfer-Encoding: chunked\r\n"),
    "trailers": (b"X: a\r\n" * 10_000, b"2\r\n{}\r\n0\r\n", "Transfer-Encoding: chunked\r\n"),
    "one trailer": (b"a" * 65_536, b"2\r\n{}\r\n0\r\nX: ", "Transfer-Encoding: chunked\r\n"),
    "compressed": (b"\x1f\x8b\x08" + b"\0" * 65_536, b"", "Content-Length: 999999999\r\nContent-Encoding: gzip\r\n"),
}
KINDS = ["application/json", FORM, PARTS, "application/octet-stream", "nonsense"]
MEGABYTES = 4


async def flood(port: int, name: str, kind: str) -> edge.Answer | None:
    """Four megabytes, or as many as are taken; None if the connection was cut before its answer could be read."""
    wave, start, more = FLOODS[name]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(edge.PATIENCE):
            writer.write(raw(start, kind, more, length=False))
            answer = asyncio.create_task(edge.read_answer(reader))
            try:
                for _ in range(MEGABYTES * 2**20 // len(wave)):
                    writer.write(wave)
                    await writer.drain()
                    if answer.done():
                        break
                return await answer
            except (ConnectionError, asyncio.IncompleteReadError):
                await asyncio.wait([answer])
                return None if answer.exception() else answer.result()
    finally:
        writer.close()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("name", FLOODS)
async def test_s82_a_flood_has_its_answer(port: int, name: str):
    """However a body swells, of whatever type: 4xx in the contract's words; the next request is served."""
    statuses = {"compressed": {415}, "a chunk's extension": {408}, "one trailer": {400, 408}}.get(name, {400, 413})
    for told in await asyncio.gather(*(flood(port, name, kind) for kind in KINDS)):
        if told:
            assert told.status in statuses
            assert told.data["type"] == "general_argument_invalid"
    assert (await edge.ask(port, raw(b"{}"))).data["message"] == MISSING


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("kind", ["application/json", FORM, PARTS])
@pytest.mark.parametrize("more", ["Content-Length: 9000\r\n", "Transfer-Encoding: chunked\r\n"])
async def test_s82_a_client_that_breaks_off_is_no_fault_of_ours(port: int, kind: str, more: str):
    """Twenty clients that leave in the middle of a body, with a farewell or without: nothing is said to be away."""
    with edge.lines() as log:
        for number in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw(b'1f\r\n{"email":"a' if "chunked" in more else b'{"email":"a', kind, more, length=False))
            await writer.drain()
            if number % 2:
                abrupt = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, abrupt)
            writer.close()
        async with asyncio.timeout(edge.PATIENCE):
            while len(log.getvalue().splitlines()) < 20:  # noqa: ASYNC110 - the log can't be awaited
                await asyncio.sleep(0.01)
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {(line["event"], line.get("status")) for line in found} == {("request.handled", 400)}, found


def resident(process: int) -> int:
    """Kilobytes that a process holds."""
    with open(f"/proc/{process}/status") as status:  # noqa: PTH123 - not a file
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


async def test_s82_floods_fill_no_memory(environment: dict[str, str], project: Project):
    """Half a gigabyte, a hundred and forty floods at once: a process as in production grows by less than a quarter."""
    async with processes.api(environment) as (running, address):
        port = urlsplit(address).port
        assert port
        await flood(port, "large chunks", KINDS[0])  # what is made once is made here
        before = resident(running.process.pid)
        await asyncio.gather(*(flood(port, name, kind) for name in FLOODS for kind in KINDS * 4))
        assert resident(running.process.pid) - before < 128 * 1024
        assert (await edge.ask(port, raw(json.dumps(LOGIN).encode()))).status == 401
    assert not [line for line in running.lines if "Traceback" in line or '"level":"error"' in line]
