"""Texts of users in large projects: what is found by an index, and how many match."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from service import email_addresses
from service.db import Connection, Executor, Queries
from service.errors import QueryInvalid

_sql = Queries("user_texts")
# What the index knows a text by: three letters or digits in a row, at each place. Fractions and the like are none.
_PIECE = re.compile(r"(?=([^\W_]{3}))")
# Pieces of a part that are counted, those of them that the index is asked for, the part of the sample that they are
# counted in, and how rare one is that finds candidates: one in so many texts.
_COUNTED, _ASKED, _OF_SAMPLE, _RARE = 12, 2, 0.2, 50
_WILDCARDS = re.compile(r"([\\%_])")
_FILLED = 5000
# Texts that are looked at to tell how many match, and the most ids that are found.
SAMPLED, _MOST = 20_000, 5000
PARTS = ("search", "name_part", "email_part", "phone_part")


@dataclass(frozen=True, slots=True)
class Extent:
    """`large`: the project has more than MOST users. `trigrams`, `prefixes`: indexes of their texts that there are.

    `share`: the percent of all texts that a sample has.
    """

    large: bool
    trigrams: bool
    prefixes: bool
    share: float


@dataclass(frozen=True, slots=True)
class UserId:
    id: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a part, and the texts of a sample that have it."""

    piece: str
    hits: int
    sampled: int


@dataclass(frozen=True, slots=True)
class ProjectId:
    id: str


async def find(conn: Executor, project_id: str, parts: dict[str, str], extent: Extent, *, few: int) -> list[str] | int:
    """Find the ids of users by parts of their texts; if more than a few are expected, return how many.

    Raises QueryInvalid if no index knows the parts.
    """
    if not extent.trigrams:
        return await _find_by_prefix(conn, project_id, parts, extent)
    texts = _texts(parts)
    # In the spelling of addresses too: a capital I with a dot becomes two characters there.
    if not all(any(_pieces(text)) for text in texts.values() if text is not None):
        raise QueryInvalid("In a project of this size a search needs three letters or digits in a row.")
    hits = int(await _sql.value(conn, "sample_user_texts", project_id=project_id, **texts, share=extent.share))
    if (expected := round(hits * 100 / extent.share)) > few:
        return expected
    patterns = {text: await _pattern(conn, project_id, text, extent) for text in {*texts.values()} if text}
    likes = {f"{name.removesuffix('_part')}_like": patterns.get(text or "") for name, text in texts.items()}
    found = await _sql.all(conn, "find_users_by_text", UserId, project_id=project_id, **texts, **likes, most=_MOST)
    return [each.id for each in found]


def _texts(parts: dict[str, str]) -> dict[str, str | None]:
    """Return the parts as the statements take them: a search has another spelling for addresses."""
    texts: dict[str, str | None] = dict.fromkeys((*PARTS, "search_email"))
    for name, part in parts.items():
        texts[name] = email_addresses.part_form(part) if part.isascii() or name == "email_part" else part
    texts["search_email"] = email_addresses.part_form(parts["search"]) if "search" in parts else None
    return texts


def _pieces(text: str) -> Iterator[re.Match[str]]:
    return (
        match for match in _PIECE.finditer(text) if all(unicodedata.category(letter) != "No" for letter in match[1])
    )


async def _pattern(conn: Executor, project_id: str, part: str, extent: Extent) -> str:
    """Return a pattern of `like` that every text with this part matches, by its two rarest pieces if one is rare.

    For each candidate the index looks up every piece of a pattern: those that most texts have cost the most.
    """
    places = {match[1].lower(): match.start() for match in _pieces(part)}
    whole = f"%{_escaped(part)}%"
    if len(places) <= _ASKED:
        return whole
    pieces = [*places][:: -(-len(places) // _COUNTED)]
    facts = {"project_id": project_id, "pieces": pieces, "most": _ASKED, "share": extent.share * _OF_SAMPLE}
    ranked = await _sql.all(conn, "rank_pieces", Piece, **facts)
    if (ranked[0].hits + 1) * _RARE > ranked[0].sampled:
        return whole
    first, last = sorted(places[each.piece] for each in ranked)
    pieces_apart = f"{part[first : first + 3]}%{part[last : last + 3]}"
    return f"%{pieces_apart if last > first + 3 else part[first : last + 3]}%"


async def _find_by_prefix(conn: Executor, project_id: str, parts: dict[str, str], extent: Extent) -> list[str]:
    if not extent.prefixes:
        raise QueryInvalid("This project has too many users for a search: the server has no index for it.")
    if parts.keys() != {"search"}:
        raise QueryInvalid(
            "This project has too many users for this: the server's index knows how texts begin."
            " Use the parameter `search` alone."
        )
    begin = {"search": parts["search"], "search_email": email_addresses.part_form(parts["search"])}
    found = await _sql.all(conn, "find_users_by_prefix", UserId, project_id=project_id, **begin, most=_MOST)
    return [each.id for each in found]


def _escaped(part: str) -> str:
    return _WILDCARDS.sub(r"\\\1", part)


async def prepare(conn: Connection) -> str | None:
    """Fill the table of texts, and return the statements that make its indexes; None where there are none to be made.

    Trigrams, or else prefixes. For `migrate`: safe to interrupt and to run again.
    """
    trigrams = await _sql.value(conn, "create_trigrams")
    statements: str | None = (
        await _sql.value(conn, "trigram_index") if trigrams else await _sql.value(conn, "prefix_indexes")
    )
    if statements:
        for project in await _sql.all(conn, "list_projects_to_fill", ProjectId):
            last: UserId | None = UserId("")
            while last is not None:
                facts = {"project_id": project.id, "id": last.id, "most": _FILLED}
                last = await _sql.one(conn, "fill_user_texts", UserId, **facts)
    return statements
