"""Make a browser's pictures small enough for the repository: 32 shades a channel, and a palette (PNG, RFC 2083).

Pillow would do the same; one command is not worth a dependency of that size.
"""

import struct
import zlib
from collections.abc import Iterator

from testkit.images import chunk

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = 3
_MOST = 256


def shrink(picture: bytes) -> bytes:
    """Write an RGB picture of 8 bits anew. Raises ValueError for another kind, or one of more colours than fit."""
    chunks = list(_chunks(picture))
    width, height, *form = struct.unpack(">IIBBBBB", chunks[0][1])
    if form != [8, 2, 0, 0, 0]:
        raise ValueError("not an RGB picture of 8 bits")
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    palette: dict[bytes, int] = {}
    rows = bytearray()
    for row in _rows(data, width * _RGB):
        shades = bytes(round((value >> 3) * 255 / 31) for value in row)
        rows.append(0)
        rows += bytes(palette.setdefault(shades[at : at + 3], len(palette) % _MOST) for at in range(0, len(row), 3))
    if len(palette) > _MOST:
        raise ValueError(f"{len(palette)} colours")
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(chunk(kind, body) for kind, body in parts)


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
