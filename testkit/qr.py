"""A reader of QR pictures (ISO/IEC 18004), for tests: versions 5 to 10, read as drawn, without correction of errors."""

from collections.abc import Iterator
from dataclasses import dataclass

_CENTRES = {5: (6, 30), 6: (6, 34), 7: (6, 22, 38), 8: (6, 24, 42), 9: (6, 26, 46), 10: (6, 28, 50)}
# Codewords of data in each block, by version and level of correction (table 9 of the standard).
_BLOCKS = {
    (5, "L"): [108], (5, "M"): [43] * 2, (5, "Q"): [15] * 2 + [16] * 2, (5, "H"): [11] * 2 + [12] * 2,
    (6, "L"): [68] * 2, (6, "M"): [27] * 4, (6, "Q"): [19] * 4, (6, "H"): [15] * 4,
    (7, "L"): [78] * 2, (7, "M"): [31] * 4, (7, "Q"): [14] * 2 + [15] * 4, (7, "H"): [13] * 4 + [14],
    (8, "L"): [97] * 2, (8, "M"): [38] * 2 + [39] * 2, (8, "Q"): [18] * 4 + [19] * 2, (8, "H"): [14] * 4 + [15] * 2,
    (9, "L"): [116] * 2, (9, "M"): [36] * 3 + [37] * 2, (9, "Q"): [16] * 4 + [17] * 4, (9, "H"): [12] * 4 + [13] * 4,
    (10, "L"): [68] * 2 + [69] * 2, (10, "M"): [43] * 4 + [44], (10, "Q"): [19] * 6 + [20] * 2,
    (10, "H"): [15] * 6 + [16] * 2,
}  # fmt: skip
_LEVELS = {0: "M", 1: "L", 2: "H", 3: "Q"}
_MASKS = (
    lambda x, y: (x + y) % 2, lambda _x, y: y % 2, lambda x, _y: x % 3, lambda x, y: (x + y) % 3,
    lambda x, y: (y // 2 + x // 3) % 2, lambda x, y: x * y % 2 + x * y % 3,
    lambda x, y: (x * y % 2 + x * y % 3) % 2, lambda x, y: ((x + y) % 2 + x * y % 3) % 2,
)  # fmt: skip
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def read(dark: set[tuple[int, int]], side: int) -> str:
    """Read the text of a picture of `side` modules, of which those at these columns and rows are dark."""
    version = (side - 17) // 4
    form = int("".join(str(int(at in dark)) for at in _format_places()), 2) ^ 0b101010000010010
    unmask = _MASKS[form >> 10 & 7]
    bits = [((x, y) in dark) ^ (unmask(x, y) == 0) for x, y in _places(version, side)]
    words = [int("".join(str(int(bit)) for bit in bits[at : at + 8]), 2) for at in range(0, len(bits) - 7, 8)]
    data = _deinterleave(words, _BLOCKS[version, _LEVELS[form >> 13]])
    return _Bits("".join(f"{word:08b}" for word in data)).text(wide=version > 9)


def _format_places() -> list[tuple[int, int]]:
    """List the places of the format's 15 bits, the highest first, around the upper left corner."""
    return [(x, 8) for x in (0, 1, 2, 3, 4, 5, 7, 8)] + [(8, y) for y in (7, 5, 4, 3, 2, 1, 0)]


def _places(version: int, side: int) -> Iterator[tuple[int, int]]:
    """Go through the places of data: two columns at a time, from the right, up and down in turn."""
    upwards = True
    for right in [*range(side - 1, 6, -2), *range(5, 0, -2)]:
        for y in range(side - 1, -1, -1) if upwards else range(side):
            for x in (right, right - 1):
                if not _is_pattern(x, y, version, side):
                    yield x, y
        upwards = not upwards


def _is_pattern(x: int, y: int, version: int, side: int) -> bool:
    far, last = side - 8, side - 7
    if x == 6 or y == 6 or (x < 9 and (y < 9 or y >= far)) or (x >= far and y < 9):
        return True
    if version > 6 and ((x < 6 and y >= side - 11) or (y < 6 and x >= side - 11)):
        return True
    return any(
        abs(x - centre) < 3 and abs(y - middle) < 3
        for centre in _CENTRES[version]
        for middle in _CENTRES[version]
        if (centre, middle) not in ((6, 6), (6, last), (last, 6))
    )


def _deinterleave(words: list[int], lengths: list[int]) -> list[int]:
    """Put the blocks after each other; the longer ones are the last."""
    blocks: list[list[int]] = [[] for _ in lengths]
    source = iter(words)
    for at in range(max(lengths)):
        for block, length in zip(blocks, lengths, strict=True):
            if at < length:
                block.append(next(source))
    return [word for block in blocks for word in block]


@dataclass
class _Bits:
    rest: str

    def take(self, count: int) -> int:
        taken, self.rest = self.rest[:count], self.rest[count:]
        return int(taken, 2)

    def text(self, *, wide: bool) -> str:
        """Read the segments until the terminator. Raises KeyError for one of another mode."""
        read = {1: self._digits, 2: self._alphanumeric, 4: self._bytes}
        sizes = {1: 12, 2: 11, 4: 16} if wide else {1: 10, 2: 9, 4: 8}
        found = b""
        while len(self.rest) >= 4 and (mode := self.take(4)):
            found += read[mode](self.take(sizes[mode]))
        return found.decode()

    def _bytes(self, length: int) -> bytes:
        return bytes(self.take(8) for _ in range(length))

    def _digits(self, length: int) -> bytes:
        groups = [min(3, length - at) for at in range(0, length, 3)]
        return "".join(f"{self.take(3 * size + 1):0{size}}" for size in groups).encode()

    def _alphanumeric(self, length: int) -> bytes:
        found = ""
        for _ in range(length // 2):
            high, low = divmod(self.take(11), 45)
            found += _ALPHANUMERIC[high] + _ALPHANUMERIC[low]
        return (found + (_ALPHANUMERIC[self.take(6)] if length % 2 else "")).encode()
