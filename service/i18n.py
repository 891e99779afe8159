"""Languages of mails and pages.

English stands in the templates; templates/<language>.po holds the others. A process reads each when it first needs it:
start and memory don't grow with their number.
"""

import gettext
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

import orjson

from service.project_files import ROOT

log = logging.getLogger(__name__)

TEMPLATES = ROOT / "templates"
SOURCE = "en"
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
_PLACE = re.compile(r"%\((\w+)\)s")
# What RFC 5646 asks a reader to cope with.
_LONGEST = 35
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


class Catalogues(Mapping[str, Catalogue]):
    """The languages of a folder by their codes, English among them."""

    def __init__(self, folder: Path) -> None:
        self.languages = languages(folder)
        self._folder = folder
        self._known = {SOURCE: Catalogue(SOURCE, {}, _germanic)}

    def __getitem__(self, language: str) -> Catalogue:
        """Return a language, which is read at its first use. Raises ValueError for a broken file."""
        if language not in self._known:
            if language not in self.languages:
                raise KeyError(language)
            self._known[language] = _read(self._folder / f"{language}.po")
        return self._known[language]

    def __iter__(self) -> Iterator[str]:
        return iter(self.languages)

    def __len__(self) -> int:
        return len(self.languages)

    def usable(self, language: str) -> Catalogue:
        """Return a language, or English for one whose file is broken: a reader gets the letter all the same."""
        try:
            return self[language]
        except ValueError as fault:
            log.error(  # noqa: TRY400 - the fault names file and sentence, the stack says nothing more
                "A translation is broken; its readers get English",
                extra={"event": "translation.broken", "language": language, "fault": str(fault)},
            )
            self._known[language] = self._known[SOURCE]
            return self._known[language]


@cache
def languages(folder: Path = TEMPLATES) -> tuple[str, ...]:
    """List the languages by their files, without reading them."""
    return tuple(sorted({SOURCE, *(path.stem for path in folder.glob("*.po"))}))


def is_locale(text: str) -> bool:
    """Tell whether a text of a client's may be the name of a locale, such as `de`, `pt_BR` or `zh-Hant-HK`."""
    return len(text) <= _LONGEST and _LOCALE.fullmatch(text) is not None


def is_known(locale: str) -> bool:
    """Tell whether there is a language for a locale: `de-AT` reads de."""
    return match(locale, languages()) is not None


def choose(known: Catalogues, *wanted: str) -> Catalogue:
    """Choose the language of the first locale that has one ("de-AT" reads de, "zh-TW" zh-Hant); else English."""
    for locale in wanted:
        if language := match(locale, known.languages):
            return known.usable(language)
    return known[SOURCE]


def match(locale: str, known: tuple[str, ...]) -> str | None:
    """Return the one of several languages that a reader of a locale gets; None without one."""
    return _find(locale, known) if 0 < len(locale) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _find(locale: str, known: tuple[str, ...]) -> str | None:
    """Find the language for a locale: of its own region, else of its language in the same script.

    What can't be parsed is cut from the end (RFC 4647): `ar-EG-u-nu-latn` reads ar.
    """
    name = locale.replace("_", "-")
    while name:
        try:
            language, script, region = _subtags(name)
        except ValueError:
            name = name.rpartition("-")[0]
        else:
            table = _table(known)
            return table.get((language, script, region)) or table.get((language, script, None))
    return None


@cache
def _table(known: tuple[str, ...]) -> dict[tuple[str, str | None, str | None], str]:
    return {_subtags(language): language for language in known}


def _subtags(name: str) -> tuple[str, str | None, str | None]:
    """Parse language, script and region as CLDR has them: `iw` is he, `zh-HK` is in Hant. Raises ValueError."""
    from babel.core import get_global, parse_locale  # noqa: PLC0415 - a command needs no translation

    language, region, script = parse_locale(name, sep="-")[:3]
    if former := get_global("language_aliases").get(language):
        language, its_region, its_script = parse_locale(former)[:3]
        region, script = region or its_region, script or its_script
    if script is None:
        likely = get_global("likely_subtags")
        full = likely.get(f"{language}_{region}") or likely.get(language)
        script = parse_locale(full)[2] if full else None
    return language, script, region


def preferred(prefs: str) -> str:
    """Return the locale that a user's preferences name as `locale`; "" if they name none."""
    try:
        known = orjson.loads(prefs or "{}")
    except orjson.JSONDecodeError:
        return ""
    locale = known.get("locale") if isinstance(known, dict) else None
    return locale if isinstance(locale, str) and is_locale(locale) else ""


def has_dates(locale: str) -> bool:
    """Tell whether times can be written in a locale such as `pt-br`, whatever catalogues there are."""
    from babel import localedata  # noqa: PLC0415 - only own templates need it

    return is_locale(locale) and localedata.exists(locale.replace("-", "_"))


def _read(path: Path) -> Catalogue:
    """Read a .po file as it is; sentences marked fuzzy or left empty stay English. Raises ValueError."""
    from babel.messages.pofile import PoFileError, read_po  # noqa: PLC0415 - English needs no translation

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
            _check(path.name, message, forms, catalogue.num_plurals)
            sentences[source] = forms
    language = path.stem.partition("-")[0]
    direction: Literal["ltr", "rtl"] = "rtl" if language in _RIGHT_TO_LEFT else "ltr"
    return Catalogue(path.stem, sentences, gettext.c2py(catalogue.plural_expr), direction)


def _check(file: str, message: Any, forms: tuple[str, ...], plurals: int) -> None:
    """Check that a translation can be filled in, so that no letter or page finds it out. Raises ValueError."""
    sources = (message.id,) if isinstance(message.id, str) else message.id
    if len(sources) > 1 and len(forms) != plurals:
        raise ValueError(f"{file} is broken: {sources[0]!r} needs {plurals} plural forms")
    values = dict.fromkeys(_PLACE.findall(" ".join(sources)), "")
    for form in forms:
        try:
            form % values
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file} is broken: {form!r} can't be filled in: {error}") from error
