"""Languages of mails and pages.

English stands in the templates; templates/<language>.po holds the others, read at start as they are.
"""

import gettext
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import orjson

TEMPLATES = Path(__file__).parent.parent / "templates"
SOURCE = "en"
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}")
# Babel knows them too, but loads the whole data of each language for it: 2 MB.
_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


def _germanic(number: int) -> int:
    """Choose the plural form of English: one, or several."""
    return int(number != 1)


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """One language: its code, its translations by the English text, the plural form for a number, and its direction."""

    language: str
    sentences: Mapping[str, tuple[str, ...]]
    plural: Callable[[int], int]
    direction: Literal["ltr", "rtl"] = "ltr"

    def one(self, sentence: str) -> str:
        return self.sentences.get(sentence, (sentence,))[0]

    def several(self, sentence: str, plurals: str, number: int) -> str:
        forms = self.sentences.get(sentence)
        return (sentence, plurals)[_germanic(number)] if forms is None else forms[self.plural(number)]


def read(folder: Path) -> Mapping[str, Catalogue]:
    """Read every language of a folder, English among them. Raises ValueError for a broken file."""
    catalogues = {SOURCE: Catalogue(SOURCE, {}, _germanic)}
    for path in sorted(folder.glob("*.po")):
        catalogues[path.stem.lower()] = _read(path)
    return catalogues


@cache
def languages(folder: Path = TEMPLATES) -> tuple[str, ...]:
    """List the languages by their files, without reading them."""
    return tuple(sorted({SOURCE, *(path.stem for path in folder.glob("*.po"))}))


def is_known(locale: str) -> bool:
    """Tell whether there is a language for a locale: `de-AT` reads de."""
    name, known = locale.replace("_", "-").lower(), {language.lower() for language in languages()}
    return name in known or name.partition("-")[0] in known


def choose(known: Mapping[str, Catalogue], *wanted: str) -> Catalogue:
    """Choose the first known language, a region's by its language ("de-AT" reads de); else English."""
    for locale in wanted:
        name = locale.strip().replace("_", "-").lower()
        if found := known.get(name) or known.get(name.partition("-")[0]):
            return found
    return known[SOURCE]


def preferred(prefs: str) -> str:
    """Return the locale that a user's preferences name as `locale`; "" if they name none."""
    try:
        known = orjson.loads(prefs or "{}")
    except orjson.JSONDecodeError:
        return ""
    locale = known.get("locale") if isinstance(known, dict) else None
    return locale if isinstance(locale, str) and _LOCALE.fullmatch(locale) else ""


def _read(path: Path) -> Catalogue:
    """Read a .po file as it is; sentences marked fuzzy or left empty stay English."""
    from babel.messages.pofile import PoFileError, read_po  # noqa: PLC0415 - a command needs no translation

    with path.open("rb") as file:
        try:
            catalogue = read_po(file, locale=path.stem.replace("-", "_"), abort_invalid=True)
        except PoFileError as error:
            raise ValueError(f"{path.name} is broken: {error}") from error
    sentences: dict[str, tuple[str, ...]] = {}
    for message in catalogue:
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        source = message.id if isinstance(message.id, str) else message.id[0]
        if source and not message.fuzzy and forms and all(forms):
            sentences[source] = forms
    language = path.stem.partition("-")[0]
    direction: Literal["ltr", "rtl"] = "rtl" if language in _RIGHT_TO_LEFT else "ltr"
    return Catalogue(path.stem, sentences, gettext.c2py(catalogue.plural_expr), direction)
