"""Make a browser's pictures small enough for the repository by a palette of 256 colours (PNG, RFC 2083).

Pillow would do the same; one command is not worth a dependency of that size.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

from testkit.images import chunk

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = 3
_MOST = 256


def shrink(picture: bytes) -> bytes:
    """Write an RGB picture of 8 bits anew with its most frequent colours. Raises ValueError for another kind."""
    chunks = list(_chunks(picture))
    width, height, *form = struct.unpack(">IIBBBBB", chunks[0][1])
    if form != [8, 2, 0, 0, 0]:
        raise ValueError("not an RGB picture of 8 bits")
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    rows = [
        [row[at : at + _RGB] for at in range(0, len(row), _RGB)] for row in _rows(data, width * _RGB)
    ]  # fmt: skip
    found = Counter(color for row in rows for color in row)
    palette = [color for color, _ in found.most_common(_MOST)]
    places = {color: _nearest(color, palette) for color in found}
    pixels = b"".join(b"\0" + bytes(places[color] for color in row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(chunk(kind, body) for kind, body in parts)


def _nearest(color: bytes, palette: list[bytes]) -> int:
    """Return the place of the colour that is most alike; the colour itself where it is in the palette."""
    distances = [sum((one - other) ** 2 for one, other in zip(color, each, strict=True)) for each in palette]
    return distances.index(min(distances))


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(picture):
        length, kind = struct.unpack_from(">I4s", picture, at)
        yield kind, picture[at + 8 : at + 8 + length]
        at += length + 12


def _rows(data: bytes, stride: int) -> Iterator[bytes]:
    """Undo the filter of each row, the byte that stands before it."""
    above = bytearray(stride)
    for start in range(0, len(data), stride + 1):
        kind, row = data[start], bytearray(data[start + 1 : start + 1 + stride])
        for at in range(stride):
            left, corner = (row[at - _RGB], above[at - _RGB]) if at >= _RGB else (0, 0)
            row[at] = (row[at] + _predicted(kind, left, above[at], corner)) & 255
        yield bytes(row)
        above = row


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:  # Paeth
        return min((left, up, corner), key=lambda value: abs(left + up - corner - value))
    return (0, left, up, (left + up) // 2)[kind]
