"""Rules for every text of a client, in any field (docs/security.md S30, S41)."""

import re

# Code points that Unicode keeps from interchange: the last two of each plane, and 32 in the middle of Arabic.
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
# Postgres takes no NUL, UTF-8 no lone surrogate.
_NO_TEXT = re.compile(f"[\\0\ud800-\udfff{_NONCHARACTERS}]")
# Nor does a mail's header or a log's line take these.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_ORDER = re.compile("[\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def is_text(found: str) -> bool:
    """Tell whether a text can be stored and returned: with line ends and tabs, without NUL and non-characters."""
    return not _NO_TEXT.search(found)


def find_fault(text: str) -> str:
    """Describe the fault of a one-line text, such as a name in a mail's header; "" if there is none."""
    if _CONTROL.search(text) or not is_text(text):
        return "Value must not contain control characters"
    if _ORDER.search(text):
        return "Value must not contain line separators or direction marks"
    return ""
