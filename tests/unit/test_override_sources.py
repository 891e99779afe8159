"""Our letters as sources of own templates: they make the very letters that we would send."""

from itertools import chain, combinations
from typing import Any

import pytest

from service.store.template_overrides import TemplateOverride
from service.template_overrides import checks
from service.template_overrides.values import CHANGES, NOTICES, PARTS, VALUES
from testkit.claims import claim_of
from worker import previews
from worker.mail import templates
from worker.mail.branding import Branding

_BRAND = {"footer_text": "Shop Ltd & Co", "support_address": "help@example.com", "logo_cid": "logo@example.com"}
_FACTS = ("device", "ip", "phrase", "code_host")


def _lacking(letter: str) -> list[tuple[str, ...]]:
    """List what readers may lack: nothing, each value, each two of them, and all."""
    names = [*(name for name in _FACTS if name in VALUES[letter]), *_BRAND, *(["link"] if letter in NOTICES else [])]
    return [*chain.from_iterable(combinations(names, count) for count in range(3)), tuple(names)]


@pytest.mark.parametrize("letter", VALUES)
@pytest.mark.parametrize("locale", ["en", "de", "ar"])
def test_a_source_makes_our_letter(letter: str, locale: str) -> None:
    """`templates set` takes what `show` prints. It makes ours byte for byte, whatever its reader lacks."""
    draft = claim_of(letter, locale=locale)
    source = previews.our_sources(draft, seconds=7200)
    for part in PARTS:
        checks.check(getattr(source, part), letter=letter, part=part)
    own = TemplateOverride("shop", letter, locale, source.subject, source.text, source.html, draft.created_at)
    for lacking in _lacking(letter):
        gone = {*lacking, *(["expires"] if "link" in lacking else [])}
        brand = Branding("Müller & Söhne", **{name: value for name, value in _BRAND.items() if name not in gone})
        facts: dict[str, Any] = {
            name: value for name, value in previews.invented_facts(draft, 7200).items() if name not in gone
        }
        letters = [
            templates.render(letter, locale=locale, branding=brand, override=override, **facts)
            for override in (None, own)
        ]
        assert letters[0] == letters[1], lacking


@pytest.mark.parametrize("locale", ["en", "ar"])
def test_a_source_tells_of_each_change(locale: str) -> None:
    """Of a change that it does not know it says what ours does."""
    draft = claim_of("security_changed", locale=locale)
    source = previews.our_sources(draft, seconds=7200)
    own = TemplateOverride("shop", draft.letter, locale, source.subject, source.text, source.html, draft.created_at)
    told = set()
    for change in (*CHANGES, "of_a_newer_release"):
        facts: dict[str, Any] = {**previews.invented_facts(draft, 7200), "change": change}
        ours, theirs = (
            templates.render(draft.letter, locale=locale, branding=Branding("Shop"), override=override, **facts)
            for override in (None, own)
        )
        assert ours == theirs, change
        told.add(ours.text)
    assert len(told) == len(CHANGES) + 1
