"""Check of an SVG: drawing and nothing else. It is refused rather than cleaned."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

_SVG, _XLINK, _XML = (
    "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/XML/1998/namespace",
)  # fmt: skip
# Shapes, text, paint and where it goes. Not scripts, links, images, HTML or animation.
_DRAWING = """
svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan textPath
linearGradient radialGradient stop pattern clipPath mask marker style switch
filter feBlend feColorMatrix feComponentTransfer feFuncR feFuncG feFuncB feFuncA feComposite feDropShadow feFlood
feGaussianBlur feMerge feMergeNode feMorphology feOffset feTile
"""
_ELEMENTS = frozenset(_DRAWING.split())
# An address that isn't a part of this file, and what could hide one: an escape, a comment, a scheme's slashes.
_OUTSIDE = re.compile(r"url\s*\((?!\s*['\"]?#[^)]*\))|\\|/[/*]", re.IGNORECASE)
_LOCAL = re.compile(r"#[^\s\"'()<>]+")
_REFERENCE = re.compile(r"""(?:url\s*\(\s*['"]?|\A)#([^\s"'()<>]+)""", re.IGNORECASE)
# Elements that a reader draws: a few that use each other can make billions, which no browser survives.
_MOST_DRAWN, _DEEPEST = 10_000, 16
_ENTITY = "a doctype or an entity"


def check_svg(data: bytes) -> None:
    """Check a file. Raises ValueError with what is wrong and its line."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("an SVG is UTF-8") from None
    checker = _Checker()
    try:
        checker.parser.Parse(text.encode(), True)  # noqa: FBT003 - all of it, and no more to come
    except expat.ExpatError as error:
        raise ValueError(f"line {error.lineno}: not well-formed XML") from None
    checker.check_styles()
    checker.check_size()


@dataclass(slots=True)
class _Part:
    """An element with all within it: how many they are, and how often they refer to other parts."""

    id: str = ""
    size: int = 1
    used: "Counter[str]" = field(default_factory=Counter)


class _Checker:
    """Walks through a file once; the first thing that has no place in a drawing ends it."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("UTF-8", " ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = lambda *_: self._refuse(_ENTITY)
        self.parser.EntityDeclHandler = lambda *_: self._refuse(_ENTITY)
        self.parser.ProcessingInstructionHandler = lambda *_: self._refuse("a processing instruction")
        self.parser.XmlDeclHandler = self._declared
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._open: list[str] = []
        self._styles: list[str] = []
        self._parts = [_Part()]
        self._named: dict[str, _Part] = {}
        self._sizes: dict[str, int] = {}

    def _refuse(self, found: str) -> NoReturn:
        raise ValueError(f"line {self.parser.CurrentLineNumber}: a logo has no {found}")

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        """Refuse another encoding: a reader that believes in it would see another file than this check."""
        if encoding and encoding.lower() != "utf-8":
            self._refuse("other encoding than UTF-8")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if space != _SVG or local not in _ELEMENTS:
            self._refuse(f"<{local[:40]}>" if space == _SVG else f"<{local[:40]}> of another namespace than SVG's")
        if not self._open and local != "svg":
            self._refuse(f"<{local[:40]}> outside of <svg>")
        for attribute, value in attributes.items():
            self._check(attribute, value)
        self._open.append(local)
        used = Counter(name for value in attributes.values() for name in _REFERENCE.findall(value))
        self._parts.append(_Part(attributes.get("id", ""), used=used))

    def _end(self, _name: str) -> None:
        self._open.pop()
        part = self._parts.pop()
        if part.id and self._named.setdefault(part.id, part) is not part:
            self._refuse(f"id {part.id[:40]} twice")
        self._parts[-1].size += part.size
        self._parts[-1].used.update(part.used)

    def _text(self, text: str) -> None:
        if self._open and self._open[-1] == "style":
            self._styles.append(text)

    def _check(self, name: str, value: str) -> None:
        space, _, local = name.rpartition(" ")
        if space not in {"", _XLINK, _XML} or local.lower().startswith("on") or local == "base":
            self._refuse(f"attribute {local[:40]}")
        if (local == "href" and not _LOCAL.fullmatch(value)) or _OUTSIDE.search(value):
            self._refuse("reference to another file")

    def check_styles(self) -> None:
        """Check style sheets as a whole, since text comes in pieces."""
        css = "".join(self._styles)
        if _OUTSIDE.search(css) or "@" in css:
            raise ValueError("a logo's <style> has no import, address, comment or escape")

    def check_size(self) -> None:
        """Count what is drawn, with each part as often as it is used."""
        if self._drawn(self._parts[0], 0) > _MOST_DRAWN:
            raise ValueError(f"a logo draws at most {_MOST_DRAWN} elements, each as often as it is used")

    def _drawn(self, part: _Part, depth: int) -> int:
        if depth > _DEEPEST:
            raise ValueError(f"a logo's parts use each other at most {_DEEPEST} deep, and none itself")
        for name in part.used.keys() & self._named.keys() - self._sizes.keys():
            self._sizes[name] = self._drawn(self._named[name], depth + 1)
        return part.size + sum(count * self._sizes.get(name, 0) for name, count in part.used.items())
