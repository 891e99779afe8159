"""Letters without their values: what Jinja renders once for all letters of one shape (worker/mail/facts.py).

It leaves a mark where each value belongs, and a letter is then made by putting its values in. That is the same letter,
in a fraction of the time.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Template, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from service.i18n import Catalogue
from worker.mail.branding import Branding
from worker.mail.facts import OPTIONAL, Shape

Templates = tuple[Template, Template, Template]  # subject, text, HTML
GAP = re.compile(r"\n{3,}")  # empty blocks leave blank lines
# Keeps the letter's first words out of the preview after its preheader: a mark of no width, as often as it takes.
PADDING = Markup("&#847; ") * 80
_SHAPES = 512  # some 15 kB each
# Names stand apart from the direction of the text around them.
_ISOLATED = ("account", "host", "ip", "device", "phrase")
# A mark that nobody can write into a project's name.
_KEY = secrets.token_hex(8)
_MARK = re.compile(rf"<{_KEY}:(\w+)>")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A letter of one shape, cut at its marks: every other piece is the name of a value."""

    subject: tuple[str, ...]
    text: tuple[str, ...]
    html: tuple[str, ...]


def fill(pieces: tuple[str, ...], values: Mapping[str, str]) -> str:
    filled = list(pieces)
    filled[1::2] = [values[name] for name in pieces[1::2]]
    return "".join(filled)


def make(templates: Templates, catalogue: Catalogue, branding: Branding, shape: Shape) -> Skeleton:
    """Render a letter with a mark for each value."""
    marks = {name: f"<{_KEY}:{name}>" for name in shape.present}
    shared = dict.fromkeys(OPTIONAL) | {
        "era": shape.era, "change": shape.change, "unit": shape.unit, "amount": shape.amount, "catalogue": catalogue,
        "language": catalogue.language, "direction": catalogue.direction,
        "side": "left" if catalogue.direction == "ltr" else "right", "gettext": _one, "ngettext": _several,
        "name": branding.name, "project": branding.name, "support_address": branding.support_address,
        "footer_text": branding.footer_text,
        "logo_cid": branding.logo_cid, "accent": branding.accent, "padding": PADDING,
    }  # fmt: skip
    isolate = _plain if catalogue.direction == "ltr" else _isolated
    as_text = {name: isolate(value) if name in _ISOLATED else value for name, value in marks.items()}
    # Marks are ours, and their values are escaped when they are filled in.
    as_html = {name: _bdi(Markup(mark)) if name in _ISOLATED else Markup(mark) for name, mark in marks.items()}  # noqa: S704
    contexts = (
        shared | marks,
        shared | as_text | {"project": isolate(branding.name)},
        shared | as_html | {"project": _bdi(branding.name)},
    )
    pairs = zip(templates, contexts, strict=True)
    subject, text, html = (template.render(known) for template, known in pairs)
    return Skeleton(_cut(subject.strip()), _cut(GAP.sub("\n\n", text).strip() + "\n"), _cut(html.strip() + "\n"))


cached = lru_cache(maxsize=_SHAPES)(make)


def _cut(text: str) -> tuple[str, ...]:
    return tuple(_MARK.split(text))


def _plain(text: str) -> str:
    return text


def _isolated(text: str) -> str:
    """Isolate by Unicode's first strong isolate, for text that runs from right to left (UAX 9)."""
    return f"\u2068{text}\u2069"


def _bdi(text: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(text)


@pass_context
def _one(context: Context, sentence: str, /, **variables: object) -> str:
    """Translate for {% trans %}. A translation is ours and trusted; its variables are escaped in HTML."""
    catalogue: Catalogue = context["catalogue"]
    return _filled(context, catalogue.one(sentence), variables)


@pass_context
def _several(context: Context, sentence: str, plurals: str, number: int, /, **variables: object) -> str:
    """Translate a sentence with a number in it."""
    catalogue: Catalogue = context["catalogue"]
    return _filled(context, catalogue.several(sentence, plurals, number), {"num": number, **variables})


def _filled(context: Context, sentence: str, variables: dict[str, object]) -> str:
    """Fill in a sentence's variables; escaping them here is quicker than Markup's own `%`."""
    if not context.eval_ctx.autoescape:
        return sentence % variables
    escaped = {name: escape(value) for name, value in variables.items()}
    return Markup(sentence % escaped)  # noqa: S704 - the sentence is ours, see _one
