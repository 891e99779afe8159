"""How many advisories are replayed here (G20)."""

import re
from pathlib import Path

NAMED = re.compile(
    r"^(?:async )?def test_((?:cve|pysec)_\d{4}_\d+|ghsa(?:_\w{4}){3}|allauth_(?:is_active|\d+_\d+_\d+))_", re.MULTILINE
)


def named() -> list[str]:
    """The advisories after which a test of this folder is named."""
    return [match[1] for path in Path(__file__).parent.glob("test_*.py") for match in NAMED.finditer(path.read_text())]


def test_g20_fifty_advisories_are_replayed():
    """At least fifty, each once."""
    found = named()
    assert len(found) == len(set(found)) >= 50
