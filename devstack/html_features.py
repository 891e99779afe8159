"""Features of HTML and CSS in a letter, by the names of caniemail, and which mail programs support them.

The data are caniemail's, of the programs that most readers have (mail_client_support.json).
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("mail_client_support.json")
_NAMES = {
    "tag": {
        **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "html-h1-h6"),
        **dict.fromkeys(("ul", "ol", "dl"), "html-lists"),
        **dict.fromkeys(("article", "aside", "details", "figcaption", "figure", "footer", "header", "main", "mark",
                         "nav", "section", "summary", "time"), "html-semantics"),
        **dict.fromkeys(("embed", "iframe"), "html-object"),
        "b": "html-strong", "s": "html-strike", "map": "html-image-maps",
    },
    "attribute": {"loading": "html-loading-attribute"},
    "property": {
        **dict.fromkeys(("border-bottom", "border-color", "border-left", "border-right", "border-style", "border-top",
                         "border-width"), "css-border"),
        **dict.fromkeys(("margin-bottom", "margin-left", "margin-right", "margin-top"), "css-margin"),
        **dict.fromkeys(("padding-bottom", "padding-left", "padding-right", "padding-top"), "css-padding"),
        **dict.fromkeys(("bottom", "left", "right", "top"), "css-left-right-top-bottom"),
        "font-family": "css-font", "supported-color-schemes": "css-color-scheme",
    },
}  # fmt: skip
# Elements whose types are features of their own.
_USUAL_TYPES = {"input": "text", "button": "submit"}
# Features that stand in a rule's value.
_VALUES = tuple(
    (re.compile(pattern), feature)
    for pattern, feature in (
        (r"!important", "css-important"), (r"var\(\s*--", "css-variables"), (r"\bcalc\(", "css-unit-calc"),
        (r"\bclamp\(", "css-function-clamp"), (r"\bmin\(", "css-function-min"), (r"\bmax\(", "css-function-max"),
        (r"\blight-dark\(", "css-function-light-dark"), (r"\brgb\(", "css-rgb"), (r"\brgba\(", "css-rgba"),
        (r"linear-gradient\(", "css-linear-gradient"), (r"radial-gradient\(", "css-radial-gradient"),
        (r"conic-gradient\(", "css-conic-gradient"), (r"\bsystem-ui\b", "css-sytem-ui"),
    )
)  # fmt: skip
_STYLESHEET = tuple(
    (re.compile(pattern), feature)
    for pattern, feature in (
        (r"@import\b", "css-at-import"), (r"@font-face\b", "css-at-font-face"), (r"@supports\b", "css-at-supports"),
        (r"@(?:-webkit-)?keyframes\b", "css-at-keyframes"), (r"@media\s[^{]*width", "css-at-media"),
        (r"prefers-color-scheme", "css-at-media-prefers-color-scheme"),
        (r"prefers-reduced-motion", "css-at-media-prefers-reduced-motion"),
        (r"(?m)^\s*[.a-z][^{}@]*,[^{}]*\{", "css-selector-grouping"), (r"(?<![\w\d])\.[a-z]", "css-selector-class"),
        (r"#[\w-]+\s*\{", "css-selector-id"), (r"\][^{};]*\{", "css-selector-attribute"),
        (r":hover\b", "css-pseudo-class-hover"), (r"::?before\b", "css-pseudo-element-before"),
        (r"::?after\b", "css-pseudo-element-after"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Feature:
    """`support` has a letter for each program, in the order of Support.programs."""

    title: str
    support: str


@dataclass(frozen=True, slots=True)
class Support:
    """`programs` are family and platform; the letters are y (supported), a (partly), n (not) and u (unknown)."""

    programs: tuple[tuple[str, str], ...]
    names: dict[str, str]
    features: dict[str, Feature]


@cache
def support() -> Support:
    data: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    programs = tuple((family, platform) for family, _, platform in (name.partition("/") for name in data["clients"]))
    features = {slug: Feature(title, letters) for slug, (title, letters) in data["features"].items()}
    return Support(programs, data["families"] | data["platforms"], features)


class Features(HTMLParser):
    """Counts the features of a page, known to caniemail or not, and its elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.elements = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements += 1
        given = {name: value or "" for name, value in attrs}
        usual = _USUAL_TYPES.get(tag)
        self._add("tag", f"{tag}-{given.get('type', usual)}" if usual else tag)
        if tag == "meta":
            self.found["html-meta-color-scheme"] += given.get("name") == "color-scheme"
            return
        for name, value in given.items():
            self._add("attribute", name)
            if name == "style":
                self._add_rules(value)
        self.found["html-mailto-links"] += given.get("href", "").startswith("mailto:")
        self.found["html-anchor-links"] += given.get("href", "").startswith("#")
        self.found["image-base64"] += given.get("src", "").startswith("data:")

    def handle_decl(self, decl: str) -> None:
        self.found["html-doctype"] += decl.lower().startswith("doctype")

    def handle_comment(self, data: str) -> None:
        del data
        self.found["html-comments"] += 1

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            for pattern, feature in _STYLESHEET:
                self.found[feature] += len(pattern.findall(data))
            for rules in re.findall(r"\{([^{}]*)\}", data):
                self._add_rules(rules)

    def _add(self, kind: str, name: str) -> None:
        prefix = "css" if kind == "property" else "html"
        self.found[_NAMES[kind].get(name, f"{prefix}-{name}")] += 1

    def _add_rules(self, rules: str) -> None:
        for rule in filter(None, map(str.strip, rules.split(";"))):
            name, _, value = (part.strip().lower() for part in rule.partition(":"))
            self._add("property", name)
            for unit in re.findall(r"\b\d*\.?\d+(px|r?em|ex|ch|v[wh]|vmin|vmax|pt|pc|cm|mm|in|%)(?!\w)", value):
                self.found[f"css-unit-{'percent' if unit == '%' else unit}"] += 1
            for pattern, feature in _VALUES:
                self.found[feature] += len(pattern.findall(value))
            if name == "display" and (shown := re.match(r"(?:inline-)?(flex|grid)|none", value)):
                self.found[f"css-display-{shown[1] or 'none'}"] += 1
