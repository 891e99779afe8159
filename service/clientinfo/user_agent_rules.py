"""ua-parser's rules, each compiled when a user agent first comes near it.

All 1,300 of them compiled take 26 MB and most of a second at start; a project's users need some dozens. The library's
own filter finds the near ones too, but only among compiled rules.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ua_parser import Domain
from ua_parser.core import Matchers, PartialResult
from ua_parser.regex import Resolver

# Words of which a text must contain one, in lower case.
_Words = tuple[str, ...]
_TOKEN = re.compile(
    r"(?P<flags>\(\?[a-z-]+\))|(?P<open>\((?:\?(?:P?<\w+>|[a-z-]*:))?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<quantifier>[?*+]|\{\d*,?\d*\})\??|\[(?P<set>\^?\]?(?:\\.|[^]\\])*)\]|\\(?P<escape>.)|(?P<mark>[.^$])"
    r"|(?P<letter>.)",
    re.DOTALL,
)
# Escapes that are followed by more, as \x41 is: such a rule counts as near to every text.
_LONG = re.compile(r"\\[xuUpPN0-9]")


class LazyRules:
    """Rules of one domain in their order: the first that matches counts."""

    def __init__(self, domain: Domain, rules: Sequence[Any]) -> None:
        self._domain, self._rules = domain, rules
        self._needed = [needed_words(rule.regex) for rule in rules]
        self._compiled: dict[int, Resolver] = {}

    def find(self, text: str) -> PartialResult | None:
        lower = text.lower()
        for number, needed in enumerate(self._needed):
            if _is_near(lower, needed) and (found := self._match(number, text)):
                return found
        return None

    def _match(self, number: int, text: str) -> PartialResult | None:
        resolver = self._compiled.get(number)
        if resolver is None:
            resolver = self._compiled[number] = Resolver(self._alone(self._rules[number]))
        found = resolver(text, self._domain)
        return found if found.user_agent or found.os or found.device else None

    def _alone(self, rule: Any) -> Matchers:
        user_agents, systems, devices = (
            [rule] if self._domain is domain else [] for domain in (Domain.USER_AGENT, Domain.OS, Domain.DEVICE)
        )
        return user_agents, systems, devices


def _is_near(text: str, needed: Sequence[_Words]) -> bool:
    for words in needed:
        for word in words:
            if word in text:
                break
        else:
            return False
    return True


def needed_words(regex: str) -> list[_Words]:
    """List what every text has that a regular expression matches: one word of each entry, in any place."""
    found = [] if _LONG.search(regex) else _read(_TOKEN.finditer(regex))
    return [words for words in found if "" not in words]


def _read(tokens: Iterator[re.Match[str]]) -> list[_Words]:
    """Read the branches up to the closing bracket: of several, each contributes its best entry to one."""
    branches: list[list[_Words]] = [[]]
    is_word = False  # the last entry is a word that the next letter continues
    item = 0  # how many entries at the end of the branch a quantifier is about; letters are taken one by one
    for token in tokens:
        branch, kind = branches[-1], token.lastgroup
        letter = _letter(token)
        if letter:
            if is_word:
                branch[-1] = (branch[-1][0] + letter,)
            else:
                branch.append((letter,))
            is_word = True
            continue
        if kind == "quantifier" and token["quantifier"].startswith(("?", "*", "{0", "{,")):
            if is_word:
                branch[-1] = (branch[-1][0][:-1],)
            elif item:
                del branch[-item:]
        is_word, item = False, 0
        if kind == "open":
            inner = _read(tokens)
            branch += inner
            item = len(inner)
        elif kind == "bar":
            branches.append([])
        elif kind == "close":
            break
    return branches[0] if len(branches) == 1 else _one_of(branches)


def _one_of(branches: list[list[_Words]]) -> list[_Words]:
    best = [max(branch, key=lambda words: min(map(len, words)), default=("",)) for branch in branches]
    return [tuple(sorted({word for words in best for word in words}))]


def _letter(token: re.Match[str]) -> str:
    """Return the letter that a token stands for in lower case, also [Bb]; "" for anything else."""
    if token["letter"]:
        return token["letter"].lower()
    if token["escape"]:
        return "" if token["escape"].isalnum() else token["escape"]
    letters = {*(token["set"] or "^").lower()}
    return letters.pop() if len(letters) == 1 and letters.isdisjoint("^\\") else ""
