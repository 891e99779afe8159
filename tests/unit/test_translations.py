"""Each translation against the templates: what a translator left out, changed too much or broke."""

import re
from functools import cache

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from service import i18n
from service.i18n import SOURCE, TEMPLATES, Catalogues

LANGUAGES = [language for language in i18n.languages() if language != SOURCE]
_PLACE = re.compile(r"%\((\w+)\)s")
_NUMBERS = {"amount", "least", "most"}
# Ends of a sentence: Hindi has a bar, Chinese and Japanese a circle.
_STOPS = ".。।"
_WORDS = re.compile(r"<|>|&\w+;|[\u202a-\u202e\u2066-\u2069\ufeff\n\t]|  |\|\|")


@cache
def sentences() -> set[str | tuple[str, ...]]:
    """Everything that stands between {% trans %} and {% endtrans %}, a singular with its plural."""
    options = {"**": {"trimmed": "true", "newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}}
    methods = [("**.html", "jinja2.ext.babel_extract"), ("**.txt", "jinja2.ext.babel_extract")]
    found = extract_from_dir(TEMPLATES, methods, options)
    return {entry[2] if isinstance(entry[2], str) else tuple(entry[2]) for entry in found}


@cache
def catalogue(language: str) -> Catalog:
    with (TEMPLATES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language.replace("-", "_"), abort_invalid=True)


def messages(language: str) -> list[tuple[list[str], list[str]]]:
    """List each sentence of a language, with its plural, and what a translator made of it."""
    return [(_forms(message.id), _forms(message.string)) for message in catalogue(language) if message.id]


def _forms(text: str | list[str] | tuple[str, ...]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def test_the_languages():
    """These are the languages of the product; README and docs count on them."""
    assert i18n.languages() == (
        "ar", "cs", "da", "de", "en", "es", "fa", "fr", "he", "hi", "id", "it", "ja", "ko", "nl", "pl", "pt", "pt-BR",
        "ru", "sv", "tr", "uk", "vi", "zh-Hans", "zh-Hant",
    )  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_complete(language: str):
    """Every sentence of the templates is there and translated, nothing is left over, nothing is fuzzy."""
    known: dict[str | tuple[str, ...], Message] = {message.id: message for message in catalogue(language) if message.id}
    assert known.keys() - sentences() == set(), "left over"
    assert sentences() - known.keys() == set(), "missing"
    assert [source for source, message in known.items() if message.fuzzy] == []
    assert [sources for sources, forms in messages(language) if not all(forms)] == []
    assert catalogue(language).locale_identifier == language.replace("-", "_")
    assert f'\n"Language: {language}\\n"\n' in (TEMPLATES / f"{language}.po").read_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_places_are_those_of_the_sentence(language: str):
    """Each value of the English sentence stands in every form once, or not where a form says the number as a word."""
    for sources, forms in messages(language):
        wanted, least = {*_PLACE.findall(sources[-1])}, {*_PLACE.findall(sources[0])}
        least -= _NUMBERS if len(sources) > 1 else set()
        for form in forms:
            found = _PLACE.findall(form)
            assert len(found) == len({*found}), form
            assert least <= {*found} <= wanted, form
            assert "%" not in _PLACE.sub("", form), form


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_plain_text(language: str):
    """No markup, no marks of direction (templates isolate names), no stray white space, a stop where English has it."""
    for sources, forms in messages(language):
        for form in forms:
            assert _WORDS.search(form) is None, form
            assert form == form.strip(), form
            end = sources[0][-1]
            assert end == "," or (form[-1] in _STOPS) == (end == "."), form  # a greeting ends in its own way
            assert (form[-1] in "?？؟") == (end == "?"), form


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_plurals_are_those_of_cldr(language: str):
    """A form for each of the language's plurals, and the form for a number is that of CLDR's rule."""
    spoken, plural = Catalogues(TEMPLATES)[language], Locale.parse(language, sep="-").plural_form
    count = catalogue(language).num_plurals
    assert {len(forms) for sources, forms in messages(language) if len(sources) > 1} == {count}
    numbers = range(1, 201)  # no lifetime and no length is above it, and none is zero
    kinds = {number: plural(number) for number in numbers}
    chosen = {number: spoken.plural(number) for number in numbers}
    assert {*chosen.values()} <= {*range(count)}
    pairs = {*zip(kinds.values(), chosen.values(), strict=True)}
    assert len({*chosen.values()}) == len({*kinds.values()}) == len(pairs)


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_direction_is_cldrs(language: str):
    """Arabic, Hebrew and Persian run from right to left, and no other does."""
    spoken = Catalogues(TEMPLATES)[language]
    assert spoken.direction == Locale.parse(language, sep="-").text_direction
    assert (spoken.direction == "rtl") == (language in {"ar", "fa", "he"})


def test_directions_are_those_of_cldr():
    """Each language that we call right to left is, those among them that we don't have yet."""
    for language in i18n._RIGHT_TO_LEFT:
        assert Locale.parse(language).text_direction == "rtl"
