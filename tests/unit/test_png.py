"""Pictures for docs/, written anew with a palette."""

import itertools
import struct
import zlib

import pytest

from testkit.png import shrink

WHITE, BLACK, GREY = b"\xff\xff\xff", b"\0\0\0", b"\x84\x84\x84"


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, rows, kind=2):
    header = struct.pack(">IIBBBBB", width, len(rows), 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + chunk(b"IEND", b"")
    )


# Each row is white, grey, black, by each filter of PNG. The third row stands on the second, and so on.
FILTERED = [
    b"\x00" + WHITE + GREY + BLACK,
    b"\x01" + WHITE + b"\x85" * 3 + b"\x7c" * 3,
    b"\x02" + b"\0" * 9,
    b"\x03" + b"\x80" * 3 + b"\xc3" * 3 + b"\xbe" * 3,
    b"\x04" + b"\0" * 9,
]


def test_a_picture_looks_the_same():
    """Each pixel keeps its colour, whatever filter its row had; white and black stay exact."""
    shrunk = shrink(png(3, FILTERED))
    assert shrunk == (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 5, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", WHITE + GREY + BLACK)
        + chunk(b"IDAT", zlib.compress(bytearray(b"\0\0\1\2" * 5), 9))
        + chunk(b"IEND", b"")
    )


def test_rare_colours_give_way():
    """Of more than 256 colours the frequent ones stay exact, and each of the others becomes the one most like it."""
    many = [bytes((red * 8, green * 8, 0)) for red, green in itertools.product(range(16), repeat=2)]
    rows = [b"\0" + color for color in (*many, *many, b"\x7a\x7a\0")]
    shrunk = shrink(png(1, rows))
    palette = struct.pack(">I", 768) + b"PLTE" + b"".join(many)
    assert palette in shrunk
    pixels = zlib.decompressobj().decompress(shrunk.partition(b"IDAT")[2])
    assert pixels[-1] == many.index(b"\x78\x78\0")


def test_what_it_cannot_write_is_refused():
    """A picture with transparency is not written wrongly."""
    with pytest.raises(ValueError, match="not an RGB picture"):
        shrink(png(1, [b"\0" + WHITE + b"\0"], kind=6))
