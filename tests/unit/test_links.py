"""Links in letters: the caller's address with our parameters, exactly as PHP would write it."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.links import link_builder

MINE = {"userId": "U1", "secret": "S1", "expire": "1592981250"}
TAIL = "userId=U1&secret=S1&expire=1592981250"


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        (f"http://localhost/verification?{TAIL}", "http://localhost/verification"),
        (f"http://localhost?{TAIL}", "http://localhost"),
        (f"http://localhost/p?{TAIL}", "http://localhost/p?"),
        (f"http://localhost/?a=1&b=x+y&{TAIL}", "http://localhost/?a=1&b=x%20y"),
        ("http://localhost/p?secret=S1&z=1&userId=U1&expire=1592981250", "http://localhost/p?secret=old&z=1"),
        (f"http://localhost/p?a=2&c%5B0%5D=7&c%5B1%5D=8&{TAIL}", "http://localhost/p?a=1&a=2&c[]=7&c[]=8"),
        (f"http://localhost/p?flag=&{TAIL}", "http://localhost/p?flag"),
        (f"http://localhost/p?k_e_y=1&{TAIL}", "http://localhost/p?k.e y=1"),
        (f"http://user:pw@localhost:3000/p?x=1&{TAIL}#frag", "http://user:pw@localhost:3000/p?x=1#frag"),
        (f"https://app/?{TAIL}#/reset", "https://app/#/reset"),
    ],
)
def test_golden(expected: str, url: str) -> None:
    """The links recorded from the official service come out byte for byte."""
    assert link_builder.build(url, MINE) == expected


def test_golden_iso_expire() -> None:
    """The modern era's expire is percent-encoded."""
    expire = "2026-08-21T13:42:57.000+00:00"
    assert (
        link_builder.build("http://localhost", {"expire": expire})
        == "http://localhost?expire=2026-08-21T13%3A42%3A57.000%2B00%3A00"
    )


@pytest.mark.parametrize(
    ("expected", "query"),
    [
        ("", "=1"),
        ("", "&&&"),
        ("", "%20=1"),
        ("", "[a]=1"),
        ("", "[]=1"),
        ("", "%00a=1"),
        ("a=1&b=2", "&a=1&&b=2&"),
        ("a=1%3D2", "a=1=2"),
        ("a=1%3Bb%3D2", "a=1;b=2"),
        ("a=1", "%20%20a=1"),
        ("a=1", "a%00b=1"),
        ("a=1%002", "a=1%002"),
        ("a_=1", "a%20=1"),
        ("_a=1", ".a=1"),
        ("a%09b=1", "a%09b=1"),
        ("a%5D=1", "a]=1"),
        ("A=1&a=2", "A=1&a=2"),
        ("a=2&b=1", "a=1&b=1&a=2"),
        ("a=%7E-_.%2A%21%28%29%27", "a=~-_.*!()'"),
        ("a=%25zz%25", "a=%zz%"),
        ("a=%FF%C3%A9%C3", "a=%ff%c3%a9%C3"),
        ("%C3%A9=%E2%82%AC", "é=€"),
        ("5=x&07=y", "5=x&07=y"),
        ("a%5Bb%5D=1", "a[b]=1"),
        ("a%5Bb%5D=1", "a%5Bb%5D=1"),
        ("a%5Bb%5D%5Bc%5D=1&a%5Bb%5D%5Bd%5D=2", "a[b][c]=1&a[b][d]=2"),
        ("a%5Bb.c+d%5D=1", "a[b.c d]=1"),
        ("a%5B%5Bb%5D=1", "a[[b]=1"),
        ("a%5B0%5D=1", "a[]b=1"),
        ("a%5Bb%5D=1", "a[b]c[d]=1"),
        ("a%5Bb%5D=1", "a[b].c=1"),
        ("a%5B0%5D=1", "a[%20]=1"),
        ("a%5B+b%5D=1", "a[%20b]=1"),
        ("a%5B0%5D%5B0%5D=1&a%5B1%5D%5B0%5D=2", "a[][]=1&a[][]=2"),
        ("a%5B0%5D%5Bx%5D=1&a%5B1%5D%5By%5D=2", "a[][x]=1&a[][y]=2"),
        ("a_b=1", "a[b=1"),
        ("a_b_c_d_e=1", "a[b.c d[e=1"),
        ("a_=1", "a[=1"),
        ("a%5Bb%5D=1", "a[b][c=1"),
        ("a%5B0%5D=1", "a[][c=1"),
        ("a%5B5%5D=1&a%5B6%5D=2", "a[5]=1&a[]=2"),
        ("a%5B5%5D=1&a%5B2%5D=2&a%5B6%5D=3", "a[5]=1&a[2]=2&a[]=3"),
        ("a%5B05%5D=1&a%5B0%5D=2", "a[05]=1&a[]=2"),
        ("a%5B-5%5D=1&a%5B0%5D=2", "a[-5]=1&a[]=2"),
        ("a%5B9223372036854775807%5D=1", "a[9223372036854775807]=1&a[]=2&a[][x]=3"),
        ("a%5B9223372036854775808%5D=1&a%5B0%5D=2", "a[9223372036854775808]=1&a[]=2"),
        ("a%5B%C2%B2%5D=1&a%5B0%5D=2", "a[²]=1&a[]=2"),
        ("a%5B0%5D=2&b=1", "a=1&b=1&a[]=2"),
        ("a=2&b=1", "a[]=1&b=1&a=2"),
        ("a%5Bb%5D%5Bc%5D=2", "a[b]=1&a[b][c]=2"),
    ],
)
def test_query_is_rewritten_like_php(expected: str, query: str) -> None:
    """Names, arrays and escapes of the caller's own query come out as PHP leaves them."""
    assert link_builder.build(f"http://localhost/p?{query}", {}) == f"http://localhost/p?{expected}"


@pytest.mark.parametrize(
    "query",
    [
        "secret=old",
        "secret",
        "secret[]=x",
        "secret[a]=1",
        "secret[a][b]=1&secret=2",
        "secret=1&secret[]=2",
        "+secret=1",
        "%73ecret=1",
        "secret%5Ba%5D=1",
        "secret%5B%5D=1&secret%00x=2",
        "secret%00=1",
        "secret[]x=1",
        "secret=1&secret=2&secret=3",
    ],
)
def test_exactly_one_secret(query: str) -> None:
    """A secret in the caller's query, however it is spelt, is overwritten where it stands."""
    assert link_builder.build(f"http://localhost/?{query}&z=1", {"secret": "S"}) == "http://localhost/?secret=S&z=1"


def test_unlike_names_stay() -> None:
    """A parameter that merely looks like ours belongs to the caller and stays."""
    link = link_builder.build("http://localhost/?secrets=1&x[secret]=2&secret_=3&secret[x=4", {"secret": "S"})
    assert link == "http://localhost/?secrets=1&x%5Bsecret%5D=2&secret_=3&secret_x=4&secret=S"


@pytest.mark.parametrize(
    "query",
    ["SECRET=1", "Secret=1&sEcReT=2", "SECRET[]=1", "SECRET[a][b]=1", "%53ECRET=1", "+Secret=1", "SECRET%00x=1",
     "%C5%BFecret=1", "USERID=u&Userid=v", "EXPIRE=0&Expire=1"],
)  # fmt: skip
def test_namesakes_in_other_capitals_go(query: str) -> None:
    """Many frameworks read names without regard to case: none of theirs may stand beside, or before, one of ours."""
    ours = {"userId": "U", "secret": "S", "expire": "E"}
    link = link_builder.build(f"http://localhost/?a=1&{query}&z=2", ours)
    assert link == "http://localhost/?a=1&z=2&userId=U&secret=S&expire=E"
    assert link_builder.build(f"http://localhost/?{query}&secret=1", {"secret": "S"}).count("ecret=") <= 1


def test_fragment_stays_last() -> None:
    """A hash router's own question mark isn't our query, and an empty fragment is kept."""
    assert link_builder.build("http://localhost#/a?b=1#c", {"k": "v"}) == "http://localhost?k=v#/a?b=1#c"
    assert link_builder.build("http://localhost/?a?b=1#", {"k": "v"}) == "http://localhost/?a%3Fb=1&k=v#"


def test_values_are_encoded() -> None:
    """Nothing in a value of ours can end the query or begin another parameter."""
    link = link_builder.build("http://localhost", {"a": "1&secret=x#y", "b": "é ~/+"})
    assert link == "http://localhost?a=1%26secret%3Dx%23y&b=%C3%A9+%7E%2F%2B"


def test_parameters_are_capped() -> None:
    """Of a flood of parameters the first thousand are kept, and ours come on top of them."""
    query = "&".join(f"a[]={number}&" for number in range(1500))
    pairs = parse_qsl(urlsplit(link_builder.build(f"http://localhost/?{query}", {"secret": "S"})).query)
    assert pairs == [*((f"a[{number}]", str(number)) for number in range(1000)), ("secret", "S")]


def test_nesting_is_capped() -> None:
    """64 levels are kept, and one more drops the whole name as PHP does."""
    deep = "[x]" * 64
    assert parse_qsl(urlsplit(link_builder.build(f"http://localhost/?a{deep}=1", {})).query) == [(f"a{deep}", "1")]
    assert link_builder.build(f"http://localhost/?a=1&b=2&a{deep}[]=1", {}) == "http://localhost/?b=2"
    assert link_builder.build(f"http://localhost/?a=1&b=2&a{deep}[x=1", {}) == "http://localhost/?b=2"
    assert (
        link_builder.build(f"http://localhost/?a=1&b=2&a{'[' * 100_000}=1", {})
        == f"http://localhost/?a=1&b=2&a{'_' * 100_000}=1"
    )


_NAMES = st.text("secrtuIdxpi[]._ \0+%=&#?é", max_size=12) | st.sampled_from(
    ["secret", "secret[]", "userId", "expire[a]"]
)
_QUERIES = st.lists(st.tuples(_NAMES, st.text(max_size=6)), max_size=8).map(
    lambda pairs: "&".join(map("=".join, pairs))
)
_TEXTS = st.text(max_size=20)


@given(_QUERIES, _TEXTS, _TEXTS, _TEXTS)
@example("secret[=1&secret]=2&secret%5B=3", "", "", "")
def test_parses_back(query: str, user: str, secret: str, expire: str) -> None:
    """Whatever the caller's query held, the link holds each of our parameters once, with our value."""
    mine = {"userId": user, "secret": secret, "expire": expire}
    link = link_builder.build(f"https://app.example.com/p?{query}", mine)
    parsed = parse_qsl(link.partition("#")[0].partition("?")[2], keep_blank_values=True)
    for name, value in mine.items():
        assert [found for key, found in parsed if key.partition("[")[0].strip() == name] == [value]


@given(_QUERIES.filter(lambda query: query.isascii() and "#" not in query))
def test_building_twice_changes_nothing(query: str) -> None:
    """A rewritten query is already in its final form."""
    once = link_builder.build(f"https://app.example.com/?{query}", {})
    assert link_builder.build(once, {}) == once
