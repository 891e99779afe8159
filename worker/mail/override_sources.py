"""Our letters as sources of own templates: `{{ link }}` for each value, and `{% if device %}` where one may be absent.

Nobody writes them: a letter is rendered with and without each value that it may lack, and the lines that differ go
into an `if`. So the source makes the very letter that we would send, whatever its reader lacks.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache
from operator import attrgetter

from service.accent_colors import DARK_EDGE, Accent
from service.i18n import Catalogue
from service.template_overrides.values import CHANGES, LINK, NOTICES, OPTIONAL, VALUES
from worker.mail import skeletons
from worker.mail.branding import Branding
from worker.mail.facts import Shape
from worker.mail.skeletons import Skeleton, Templates

_LINE = re.compile(r"[^\n]*\n+")


@dataclass(frozen=True, slots=True)
class _Choice:
    """Lines of a letter whose reader has a value, and of one who lacks it."""

    value: str
    known: "_Lines"
    absent: "_Lines"


_Lines = tuple[str | _Choice, ...]


class _Marked(Branding):
    """Branding whose colours are values."""

    __slots__ = ()

    def __post_init__(self) -> None:
        accent = Accent("{{ accent_color }}", "{{ accent_ink }}", "{{ accent_color }}", DARK_EDGE)
        object.__setattr__(self, "accent", accent)


def make(templates: Templates, letter: str, catalogue: Catalogue, shape: Shape) -> tuple[str, str, str]:
    """Make the sources of a letter's subject, text and HTML. `shape` has all of its values."""

    @cache
    def rendered(absent: frozenset[str], change: str) -> Skeleton:
        present = shape.present - absent - (LINK if "link" in absent else set())
        return skeletons.make(templates, catalogue, _branding(absent), replace(shape, present=present, change=change))

    def telling_of(change: str, cut: Callable[[Skeleton], tuple[str, ...]]) -> _Lines:
        return _merged(lambda absent: _lines(cut(rendered(absent, change)), places), optional, frozenset())

    def merged(cut: Callable[[Skeleton], tuple[str, ...]]) -> str:
        lines = telling_of("", cut)
        for change in CHANGES if "left" in VALUES[letter] else ():
            lines = _either(change, telling_of(change, cut), lines)
        return "".join(_written(lines)).rstrip("\n") + "\n"

    places = {name: f"{{{{ {name} }}}}" for name in shape.present}
    may_lack = ("link", *OPTIONAL) if letter in NOTICES else OPTIONAL
    # The codes that are left come with their change.
    optional = [name for name in may_lack if name in VALUES[letter] and name != "left"]
    subject = skeletons.fill(rendered(frozenset(), "").subject, places)
    text, html = merged(attrgetter("text")), merged(attrgetter("html"))
    return subject, text, html.replace("cid:{{ logo }}", "{{ logo }}")


def _branding(absent: frozenset[str]) -> Branding:
    given = {"support_address": "support_address", "footer_text": "footer_text", "logo_cid": "logo"}
    return _Marked(
        "{{ project }}", **{name: f"{{{{ {value} }}}}" for name, value in given.items() if value not in absent}
    )


def _lines(pieces: tuple[str, ...], places: Mapping[str, str]) -> _Lines:
    """Cut a part into lines. Empty lines belong to the one before, or it would be open which of them is gone."""
    return tuple(_LINE.findall(skeletons.fill(pieces, places).rstrip("\n") + "\n\n"))


def _merged(render: Callable[[frozenset[str]], _Lines], names: list[str], absent: frozenset[str]) -> _Lines:
    """Merge the letters of all readers who lack any of these names, besides those that are absent already."""
    if not names:
        return render(absent)
    name, *others = names
    return _either(name, _merged(render, others, absent), _merged(render, others, absent | {name}))


def _either(name: str, known: _Lines, lacking: _Lines) -> _Lines:
    """Merge the letters of readers who have a value and of those who lack it."""
    changes = SequenceMatcher(None, known, lacking, autojunk=False).get_opcodes()
    merged: list[str | _Choice] = []
    for kind, a, b, c, d in changes:
        merged.extend(known[a:b] if kind == "equal" else [_Choice(name, known[a:b], lacking[c:d])])
    return tuple(merged)


def _written(lines: _Lines) -> Iterator[str]:
    for line in lines:
        if isinstance(line, str):
            yield line
            continue
        yield f"{{% if {line.value} %}}\n" if line.known else f"{{% if not {line.value} %}}\n"
        yield from _written(line.known)
        if line.known and line.absent:
            yield "{% else %}\n"
        yield from _written(line.absent)
        yield "{% endif %}\n"
