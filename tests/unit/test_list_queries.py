"""Queries in both spellings."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import QueryInvalid
from service.http.list_queries import PERIODS, Query, number, parse
from service.http.user_list_queries import _EQUALS, ORDERS, _condition

ROOT = Path(__file__).parent.parent.parent
NOW = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limit(5)", Query("limit", "", (5,))),
        ("offset(0)", Query("offset", "", (0,))),
        ('cursorAfter("u1")', Query("cursorAfter", "", ("u1",))),
        ('orderAsc("name")', Query("orderAsc", "name", ())),
        ('orderDesc("")', Query("orderDesc", "", ())),
        ("orderAsc()", Query("orderAsc", "", ())),
        ('equal("email", ["a@b.c", "d"])', Query("equal", "email", ("a@b.c", "d"))),
        ('equal("email", "a@b.c")', Query("equal", "email", ("a@b.c",))),
        ('between("registration", 1, 2.5)', Query("between", "registration", (1, 2.5))),
        ('equal("status", true)', Query("equal", "status", (True,))),
        ('equal("name", ["a),(\\"]"])', Query("equal", "name", ('a),("]',))),
        ('{"method":"limit","values":[5]}', Query("limit", "", (5,))),
        ('{"method":"cursorBefore","values":["u1"]}', Query("cursorBefore", "", ("u1",))),
        ('{"method":"orderAsc","attribute":"name"}', Query("orderAsc", "name", ())),
        ('{"method":"equal","attribute":"email","values":["a@b.c"]}', Query("equal", "email", ("a@b.c",))),
        (' {"values": [true], "attribute": "status", "method": "equal"} ', Query("equal", "status", (True,))),
    ],
)
def test_both_spellings(text: str, expected: Query):
    """Queries as SDKs up to 1.4 write them mean the same as those of SDKs from 1.5 on."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "limit", "limit(", "limit)", "limit(5", "limit(5))", "limit(,)", "limit(x)", "limit([5)", "li mit(5)",
        "limit(5)limit(5)", "limit(NaN)", "equal(email)", "equal(5)", 'equal("a", {"b": 1})', 'equal("a", [null])',
        'equal("a\\u0000", ["b"])', 'equal("a", ["\\u0000"])', 'equal("a", ["\\ud800"])', "{}", "[]", '"limit(5)"', "5",
        '{"method":"equal","attribute":7,"values":[]}', '{"method":"equal","values":{"a":1}}', '{"method":null}',
        '{"method":"limit","values":[5],"more":1}', "x" * 4097, "é(5)", "limit(5)\x00",
    ],
)  # fmt: skip
def test_what_is_no_query(text: str):
    """A text that is no query is refused, and never half understood."""
    with pytest.raises(QueryInvalid):
        parse(text)


@given(st.text() | st.from_regex(r"\w{1,9}\(.{0,40}\)") | st.recursive(st.none() | st.text(), st.lists).map(str))
def test_nothing_else_is_raised(text: str):
    """Whatever a client sends, it is a query or QueryInvalid."""
    with suppress(QueryInvalid):
        parse(text)


@pytest.mark.parametrize("values", [(), (1, 2), ("5",), (True,), (-1,), (101,), (5.0,)])
def test_numbers(values: tuple[object, ...]):
    """Limit and offset have one whole number within bounds."""
    assert number(Query("limit", "", (100,)), most=100) == 100
    with pytest.raises(QueryInvalid):
        number(Query("limit", "", values), most=100)


def test_docs_name_every_attribute_and_no_other():
    """docs/accounts.md lists what `queries` may name: each pair is taken, and each that is taken stands there."""
    section = (ROOT / "docs/accounts.md").read_text().partition("## Lists of users")[2].partition("\n## ")[0]
    rows = [line.strip("| \n").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    told = {(row[0].strip("`"), method.strip("`")) for row in rows for method in row[1].split(", ")}
    values = {
        "status": [True],
        "emailVerification": [True],
        "phoneVerification": [True],
        "registration": [NOW],
        "$createdAt": [NOW],
    }
    taken = set()
    for attribute in {*(name for name in ORDERS if name), *_EQUALS, "labels"}:
        taken |= {(attribute, method) for method in ("orderAsc", "orderDesc") if attribute in ORDERS}
        for method in ("equal", "notEqual", "search", "contains", "containsAny", "containsAll", *PERIODS):
            given = values.get(attribute, ["a"]) * (2 if method == "between" else 1)
            with suppress(QueryInvalid):
                _condition(Query(method, attribute, tuple(given)))
                taken.add((attribute, method))
    assert told == taken
    assert {row[0].strip("`") for row in rows} <= set(ORDERS) | set(_EQUALS) | {"labels"}
