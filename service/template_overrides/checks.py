"""Checks of `templates set` beyond the language: every reader gets the link or code, and no other server does.

A worker checks the first once more, in each letter that it makes (OverrideTemplate.render).
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations

from jinja2 import nodes

from service.template_overrides import html_places
from service.template_overrides.language import OverrideFault, OverrideTemplate, parse
from service.template_overrides.values import CHANGES, LINK, NOTICES, OPTIONAL, SECRETS, Part, of_part

# Values as a letter may have them; the secrets are like nothing that stands in a source.
_SAMPLE: Mapping[str, str] = {
    "account": "a•••@example.com", "accent_color": "#0b57d0", "accent_ink": "#ffffff", "footer_text": "Shop Ltd",
    "language": "en", "logo": "cid:logo", "project": "Shop", "support_address": "help@example.com",
    "device": "Firefox 130.0, Linux", "ip": "192.0.2.1", "requested_at": "1 January 2026", "expires": "2 January 2026",
    "host": "example.com", "link": "https://example.com/?secret=Sample-7f1c2d93&a=1",
    "code": "604918273550446688", "code_start": "604918273", "code_end": "550446688", "code_host": "example.com",
    "phrase": "Silent Fox", "left": "7", "passkeys": "2", **dict.fromkeys(CHANGES, "yes"),
}  # fmt: skip
# What of it is found again whatever the filters and the signs around it make of it.
_SECRETS = sorted({**{name: _SAMPLE[name] for name in SECRETS}, "link": "sample-7f1c2d93"}.items())


def check(source: str, *, letter: str, part: Part) -> None:
    """Parse a source and try it for all kinds of readers. Raises OverrideFault."""
    template = parse(source, letter=letter, part=part)
    outputs = {_rendered(template, lacking) for lacking in _readers(template)}
    if part == "html":
        for output in outputs:
            _check_places(output)


def _rendered(template: OverrideTemplate, lacking: frozenset[str]) -> str:
    known = of_part(template.letter, template.part) - lacking
    try:
        return template.render({name: _SAMPLE[name] for name in known})
    except OverrideFault as fault:
        without, told = sorted(lacking - CHANGES.keys()), sorted(known & CHANGES.keys())
        if fault.line or not (without or told):
            raise
        whom = [*(["without " + " and ".join(without)] if without else []), *(f"told of {each}" for each in told)]
        raise OverrideFault(f"{fault}, for readers {' '.join(whom)}") from None


def _readers(template: OverrideTemplate) -> Iterator[frozenset[str]]:
    """List what readers may lack. A notice about security tells each of no change, or of one."""
    changes = of_part(template.letter, template.part) & CHANGES.keys()
    tested = _tested(template.body)
    for lacking in _lacking(template, tested):
        yield lacking | changes
        for change in sorted(tested & changes):
            yield lacking | (changes - {change})


def _lacking(template: OverrideTemplate, tested: set[str]) -> Iterator[frozenset[str]]:
    """List what else they may lack: nothing, each combination of what the template asks for, and all of it."""
    allowed = of_part(template.letter, template.part)
    optional = allowed & {*OPTIONAL, *(LINK if template.letter in NOTICES else ())}
    yield frozenset()
    named = sorted(tested & optional)
    for count in range(1, len(named) + 1):
        for lacking in map(frozenset, combinations(named, count)):
            # A notice has a link with all that belongs to it, or has none.
            yield lacking | (LINK & allowed) if lacking & {"link", "expires"} else lacking
    yield optional


def _tested(body: Collection[nodes.Node]) -> set[str]:
    """Collect the values that conditions ask for."""
    tests = [test for node in body for test in _tests(node)]
    names = [name.name for test in tests for name in test.find_all(nodes.Name)]
    return {*names, *(test.name for test in tests if isinstance(test, nodes.Name))}


def _tests(node: nodes.Node) -> Iterator[nodes.Node]:
    ahead = [node]
    while ahead:
        each = ahead.pop()
        if isinstance(each, nodes.If):
            yield each.test
            ahead.extend((*each.body, *each.elif_, *each.else_))


def _check_places(html: str) -> None:
    """Raise OverrideFault where a link or code stands in an address that leads or reports elsewhere.

    Mail programs load pictures, and others count clicks.
    """
    if fault := next(html_places.faults(html, link=_SAMPLE["link"], find=_secret_in), ""):
        raise OverrideFault(fault)


def _secret_in(text: str) -> str:
    """Name the secret that a text holds. In capitals or small letters it is one too: a long link's is in either."""
    lowered = text.lower()
    return next((name for name, secret in _SECRETS if secret in lowered), "")
