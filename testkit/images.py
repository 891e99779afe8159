"""Small images, made without a library."""

import zlib

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 8 8">'
    '<title>Shop</title><defs><linearGradient id="g"><stop offset="0" stop-color="#f00"/></linearGradient></defs>'
    '<style>.a{fill:url(#g)}</style><path class="a" d="M0 0h8v8z"/><use xlink:href="#g"/></svg>'
)

# A wordmark that can't be seen on dark ground.
DARK_LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="124" height="40" fill="#1c1f24">'
    '<path d="M4 14h24l2 22H2z"/><path d="M10 15v-4a6 6 0 0 1 12 0v4" fill="none" stroke="#1c1f24" stroke-width="3"/>'
    '<text x="40" y="32" textLength="80" font-family="sans-serif" font-size="28" font-weight="700">Shop</text></svg>'
)


def png(width: int = 4, height: int = 3, *, more: bytes = b"") -> bytes:
    """Make a grey PNG; `more` is put between its data and its end."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 0, 0, 0, 0))
    pixels = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + more + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")
