"""The chaos proxy does what its weather says, and nothing in fair weather."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from testkit.proxy import Proxy


@pytest.fixture
def heard() -> asyncio.Queue[bytes]:
    """Data that arrived at the server behind the proxy; the last chunk of a connection is empty."""
    return asyncio.Queue()


@pytest.fixture
async def proxy(heard: asyncio.Queue[bytes]) -> AsyncIterator[Proxy]:
    """Before a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1000):
                heard.put_nowait(chunk)
                writer.write(chunk)
            writer.write(b"bye")
        except OSError:
            pass
        finally:
            heard.put_nowait(b"")
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


async def said(proxy: Proxy, text: bytes, *, count: int | None = None) -> bytes:
    """The answer to a word: so many bytes, or all until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(text)
        if count is None:
            writer.write_eof()
            return await reader.read()
        return await reader.readexactly(count)
    finally:
        writer.close()


async def test_fair_weather_changes_nothing(proxy: Proxy):
    """Bytes pass both ways, and an end of one direction leaves the other open."""
    assert await said(proxy, b"hello") == b"hellobye"
    assert proxy.counts["accepted"] == 1
    assert (proxy.counts["up"], proxy.counts["down"]) == (5, 8)


async def test_refuse_and_up_again(proxy: Proxy):
    """A closed port refuses, and is the same port when it opens again."""
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await said(proxy, b"x")
    await proxy.up()
    assert await said(proxy, b"x", count=1) == b"x"


async def test_reset_meets_a_new_connection(proxy: Proxy):
    """RST on accept: the client was connected, and then was not."""
    proxy.change(reset=True)
    with pytest.raises(ConnectionResetError):
        await said(proxy, b"x", count=1)


async def test_a_black_hole_stalls_what_lives_and_what_comes(proxy: Proxy, heard: asyncio.Queue[bytes]):
    """Nothing passes and nothing ends, until it is over: then everything arrives."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"a")
    assert await reader.readexactly(1) == b"a"
    proxy.change(black_hole=True)
    writer.write(b"b")
    late = asyncio.create_task(said(proxy, b"c", count=1))
    done, _ = await asyncio.wait({late}, timeout=0.3)
    assert not done
    assert [await heard.get(), heard.qsize()] == [b"a", 0]
    proxy.change(black_hole=False)
    assert await reader.readexactly(1) == b"b"
    assert await late == b"c"
    writer.close()


async def test_latency_and_bandwidth_take_their_time(proxy: Proxy):
    """Each chunk waits, and a narrow line waits longer."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    proxy.change(latency=0.05, bandwidth=1000)
    assert await said(proxy, b"x" * 100, count=100)
    assert loop.time() - started >= 0.3


@pytest.mark.parametrize(("arrives", "expected"), [(True, b"please COMMIT"), (False, b"")])
async def test_a_cue_cuts_at_a_word(proxy: Proxy, heard: asyncio.Queue[bytes], arrives: bool, expected: bytes):
    """The client never hears an answer; whether the server heard the word is the test's choice. Once only."""
    proxy.cut_at(b"COMMIT", arrives=arrives)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await said(proxy, b"please COMMIT", count=13)
    assert await heard.get() == expected
    assert await said(proxy, b"COMMIT", count=6) == b"COMMIT"


async def test_a_cut_after_so_many_bytes(proxy: Proxy, heard: asyncio.Queue[bytes]):
    """The bytes before the cut arrive, the others do not."""
    proxy.change(cut_up=3)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await said(proxy, b"hello", count=5)
    assert await heard.get() == b"hel"


async def test_the_way_back_is_cut_too(proxy: Proxy):
    """The proxy can also cut an answer in the middle."""
    proxy.change(cut_down=2)
    with pytest.raises(asyncio.IncompleteReadError) as found:
        await said(proxy, b"hello", count=5)
    assert found.value.partial == b"he"


async def test_corruption_changes_one_byte(proxy: Proxy):
    """Corrupted data is as long as the data sent, and not the same."""
    proxy.change(corrupt=1)
    answer = await said(proxy, b"hello", count=5)
    assert answer != b"hello"
    assert proxy.counts["corrupted"] == 2


async def test_cut_all_ends_every_connection(proxy: Proxy):
    """Both ends get RST at once, and a new connection is as good as ever."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"a")
    assert await reader.readexactly(1) == b"a"
    await proxy.cut_all()
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()
    assert not proxy.lines
    assert await said(proxy, b"x", count=1) == b"x"


async def test_half_closed_is_heard_as_the_end(proxy: Proxy):
    """The client reads the end of the answer while its own direction is open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"a")
    assert await reader.readexactly(1) == b"a"
    proxy.half_close()
    assert await reader.read() == b""
    writer.close()
