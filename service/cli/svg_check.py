"""Check of an SVG: drawing and nothing else. It is refused rather than cleaned."""

import re
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

    def _end(self, _name: str) -> None:
        self._open.pop()

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
