"""Logos: the checks that a file passes before it is sent to a project's users (docs/projects.md#logo)."""

import argparse
import zlib
from pathlib import Path

from service.cli.projects.svg_check import check_svg
from service.store.branding import LARGEST_LOGO, Logo

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WIDEST = 2000
# Bit depths that a colour type may have (PNG, table 12).
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def read(path: str) -> Logo:
    """Read and check a file; raises what argparse shows as a usage error."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_LOGO + 1)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    try:
        return check(data)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{path}: {fault}") from None


def check(data: bytes) -> Logo:
    """Return the logo of a file's content. Raises ValueError with what is wrong."""
    if len(data) > LARGEST_LOGO:
        raise ValueError(f"a logo has at most {LARGEST_LOGO // 1024} KB")
    if data.startswith(_SIGNATURE):
        _check_png(data)
        return Logo("image/png", data)
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        check_svg(data)
        return Logo("image/svg+xml", data)
    raise ValueError("a logo is a PNG or an SVG")


def _check_png(data: bytes) -> None:
    """Check that it is one whole PNG of a bounded size, with nothing behind its end."""
    chunks = _chunks(data)
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13 or chunks[-1][0] != b"IEND":
        raise ValueError("this PNG is damaged")
    header = chunks[0][1]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    if not (1 <= width <= _WIDEST and 1 <= height <= _WIDEST):
        raise ValueError(f"a logo has at most {_WIDEST} by {_WIDEST} pixels, this one {width} by {height}")
    if header[8] not in _DEPTHS.get(header[9], ()) or not any(name == b"IDAT" for name, _ in chunks):
        raise ValueError("this PNG is damaged")


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Split a PNG into names and contents. Raises ValueError for a cut, a wrong sum or a byte too many."""
    found, at = [], len(_SIGNATURE)
    while at < len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content, end = data[at + 8 : at + 8 + length], at + 12 + length
        if end > len(data) or zlib.crc32(name + content) != int.from_bytes(data[end - 4 : end], "big"):
            raise ValueError("this PNG is damaged")
        found.append((name, content))
        at = end
        if name == b"IEND" and at != len(data):
            raise ValueError("something stands behind the end of this PNG")
    return found
