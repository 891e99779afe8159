"""Mailpit's HTML check: what the mail programs of devstack/mail_client_support.json lack of a letter's HTML and CSS."""

from typing import Any

from devstack.html_features import Feature, Features, support

_WORDS = {"y": "yes", "a": "partial", "n": "no"}


def check(html: str) -> dict[str, Any]:
    """List the features that some program lacks, the worst first, and what part of the letter is supported."""
    found, known = Features(html), support()
    warnings = [
        _warning(slug, feature, count)
        for slug, feature in known.features.items()
        if (count := found.found[slug]) and set(feature.support) & {"a", "n"}
    ]
    warnings.sort(key=lambda each: -each["Score"]["Unsupported"] - each["Score"]["Partial"])
    partial, unsupported = (_share(warnings, name, of=found.elements) for name in ("Partial", "Unsupported"))
    return {
        "Warnings": warnings,
        "Platforms": _platforms(),
        "Total": {
            "Tests": len(known.features),
            "Nodes": found.elements,
            "Supported": 100 - partial - unsupported,
            "Partial": partial,
            "Unsupported": unsupported,
        },
    }


def _warning(slug: str, feature: Feature, count: int) -> dict[str, Any]:
    """Describe a feature; a program of which nothing is known is left out."""
    known = [letter for letter in feature.support if letter in _WORDS]
    shares = {word: 100 * known.count(letter) / len(known) for letter, word in _WORDS.items()}
    return {
        "Slug": slug,
        "Title": feature.title,
        "Description": "",
        "URL": f"https://www.caniemail.com/features/{slug}/",
        "Category": slug.partition("-")[0],
        "Tags": [],
        "Keywords": "",
        "Results": [
            _result(*program, _WORDS[letter])
            for program, letter in zip(support().programs, feature.support, strict=True)
            if letter in _WORDS
        ],
        "NotesByNumber": {},
        "Score": {
            "Found": count, "Supported": shares["yes"], "Partial": shares["partial"], "Unsupported": shares["no"],
        },
    }  # fmt: skip


def _result(family: str, platform: str, word: str) -> dict[str, str]:
    names = support().names
    return {
        "Name": f"{names[family]} {names[platform]}", "Platform": platform, "Family": family, "Version": "",
        "Support": word, "NoteNumber": "",
    }  # fmt: skip


def _share(warnings: list[dict[str, Any]], name: str, *, of: int) -> float:
    """Return the highest share of a warning, weighted by how many of the letter's elements have the feature."""
    shares = [each["Score"][name] * min(1, each["Score"]["Found"] / of) for each in warnings]
    return float(max(shares, default=0))


def _platforms() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for family, platform in support().programs:
        found.setdefault(family, []).append(platform)
    return found
