"""Lists of users: every page once and in order, conditions in both spellings, and nothing that reaches the SQL."""

import itertools

import orjson
import pytest

from service.db import Pool
from service.http.user_list_queries import ORDERS
from service.store import projects
from testkit import api_keys
from testkit.api import Api


def query(method: str, *values, attribute: str | None = None) -> str:
    """As SDKs from 1.5 on write it."""
    found = {"method": method} | ({"attribute": attribute} if attribute is not None else {})
    return orjson.dumps(found | ({"values": list(values)} if values else {})).decode()


@pytest.fixture
async def user_ids(pool: Pool, project) -> list[str]:
    """Sixty users, many of them alike: ids of several kinds, five names, three times, some without address."""
    await projects.create(pool, "other", name="Other")
    await pool.execute(
        """insert into users (project_id, id, email, name, created_at, updated_at, password_updated_at, status,
            email_verified, labels)
        select p, 'User.' || n * 7 % 60 || chr(65 + n % 26), case when n % 4 > 0 then 'u' || n || '@example.com' end,
            'name ' || n % 5, timestamptz '2024-01-01' + interval '1 hour' * (n % 3), now() - interval '1 s' * (n % 2),
            case when n % 3 > 0 then now() end, (array['unactivated', 'active', 'blocked'])[n % 3 + 1], n % 2 = 0,
            case when n % 10 = 0 then array['vip'] else '{}' end
        from generate_series(1, 60) n, unnest(array['shop', 'other']) p"""
    )
    rows = await pool.fetch("select id from users where project_id = 'shop' order by created_at, id")
    return [row["id"] for row in rows]


async def _list(api: Api, server: dict[str, str], *queries: str, modern: bool = True, **plain: str):
    params = [(f"queries[{number}]", text) for number, text in enumerate(queries)] + list(plain.items())
    return await api.call("GET", "/v1/users", headers=server, params=params, modern=modern)


async def _ids(api: Api, server: dict[str, str], *queries: str, **plain: str) -> list[str]:
    answer = await _list(api, server, *queries, **plain)
    assert answer.status == 200, answer.data
    return [user["$id"] for user in answer.data["users"]]


@pytest.mark.parametrize("size", [1, 7, 25, 60])
async def test_pages_by_cursor(api: Api, pool: Pool, user_ids: list[str], size: int):
    """Going on after the last one seen brings everybody once and in order; going back brings the same."""
    server = await api_keys.key(pool)
    seen: list[str] = []
    while page := await _ids(api, server, query("limit", size), *([query("cursorAfter", seen[-1])] if seen else [])):
        seen += page
    assert seen == user_ids
    back: list[str] = []
    while page := await _ids(api, server, query("limit", size), query("cursorBefore", (back or [user_ids[-1]])[0])):
        back = page + back
    assert back == user_ids[:-1]


@pytest.mark.parametrize(("field", "method"), [*itertools.product(ORDERS, ["orderAsc", "orderDesc"])])
async def test_pages_in_every_order(api: Api, pool: Pool, user_ids: list[str], field: str, method: str):
    """Whatever it is ordered by, equal values and missing ones included, the pages are complete without doubles."""
    server = await api_keys.key(pool)
    order = query(method, attribute=field)
    whole = await _ids(api, server, order, query("limit", 100))
    assert sorted(whole) == sorted(user_ids)
    seen: list[str] = []
    while page := await _ids(
        api, server, order, query("limit", 17), *([query("cursorAfter", seen[-1])] if seen else [])
    ):
        seen += page
    assert seen == whole
    values = {
        "email": "coalesce(email, '')",
        "phone": "coalesce(phone, '')",
        "phone_verified": "(phone_verified_at is not null)",
        "password_updated_at": "coalesce(password_updated_at, 'epoch')",
    }
    value, way = values.get(ORDERS[field], ORDERS[field]), "asc" if method == "orderAsc" else "desc"
    assert whole == await _by_sql(pool, "true", f"{value} {way}, id {way}")


async def _by_sql(pool: Pool, condition: str, order: str = "created_at, id") -> list[str]:
    """The ids of the project's users that meet a condition which this file wrote itself."""
    where = f"project_id = 'shop' and {condition} order by {order}"
    return [row["id"] for row in await pool.fetch(f"select id from users where {where}")]


async def test_limit_offset_and_count(api: Api, pool: Pool, user_ids: list[str]):
    """25 by default; both spellings mean the same; the count is of all, or 0 when it is not wanted."""
    server = await api_keys.key(pool)
    usual = await _list(api, server)
    assert list(usual.data) == ["total", "users"]
    assert usual.data["total"] == 60
    assert [user["$id"] for user in usual.data["users"]] == user_ids[:25]
    for queries in (("limit(5)", "offset(10)"), (query("limit", 5), query("offset", 10))):
        assert await _ids(api, server, *queries) == user_ids[10:15]
    assert (await _list(api, server, total="false")).data["total"] == 0
    assert await _ids(api, server, "limit(0)") == []
    assert await _ids(api, server, f'cursorAfter("{user_ids[3]}")', "limit(2)") == user_ids[4:6]
    assert await _ids(api, server, 'orderDesc("registration")', "limit(2)") == user_ids[:-3:-1]


async def test_the_older_parameters(api: Api, pool: Pool, user_ids: list[str]):
    """Legacy SDKs page by limit, offset and orderType and read `sum`; those between also by cursor."""
    server = await api_keys.key(pool)
    legacy = await _list(api, server, modern=False, limit="4", offset="2", orderType="DESC")
    assert list(legacy.data) == ["sum", "users"]
    assert legacy.data["sum"] == 60
    assert [user["$id"] for user in legacy.data["users"]] == user_ids[::-1][2:6]
    assert isinstance(legacy.data["users"][0]["registration"], int)
    assert "hash" not in legacy.data["users"][0]
    between = await api.call(
        "GET", "/v1/users", params={"cursor": user_ids[9], "cursorDirection": "before", "limit": "3"},
        headers=server | {"X-Appwrite-Response-Format": "0.14.0"},
    )  # fmt: skip
    assert [user["$id"] for user in between.data["users"]] == user_ids[6:9]
    assert between.data["total"] == 60
    empty = await _list(api, server, modern=False, limit="", offset="", search="", orderType="")
    assert len(empty.data["users"]) == 25


@pytest.mark.parametrize(
    "plain",
    [
        {"limit": "101"}, {"limit": "-1"}, {"limit": "x"}, {"limit": "٣"}, {"offset": "1e9"}, {"orderType": "UP"},
        {"cursorDirection": "left"}, {"search": "x" * 257}, {"search": "a\0b"},
    ],
)  # fmt: skip
async def test_wrong_parameters(api: Api, pool: Pool, plain: dict[str, str]):
    """A plain parameter that does not fit is refused by name."""
    answer = await _list(api, await api_keys.key(pool), modern=False, **plain)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert next(iter(plain)) in answer.data["message"]


HOUR = "2024-01-01T01:00:00"


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        (("email", "equal", ["u1@example.com", "U2@example.com"]), "email in ('u1@example.com', 'u2@example.com')"),
        (("$id", "equal", ["User.7B", "nobody"]), "id = 'User.7B'"),
        (("name", "equal", ["name 3"]), "name = 'name 3'"),
        (("status", "equal", [True]), "status <> 'blocked'"),
        (("status", "equal", [False]), "status = 'blocked'"),
        (("status", "equal", [1]), "status = 'active'"),
        (("emailVerification", "equal", [True]), "email_verified"),
        (("labels", "contains", ["vip", "none"]), "labels && '{vip}'"),
        (("name", "search", ["AME 2"]), "name = 'name 2'"),
        (("email", "contains", ["5@"]), "strpos(email, '5@') > 0"),
        (("registration", "greaterThan", ["2024-01-01T00:00:00.000+00:00"]), "created_at > '2024-01-01'"),
        (("$createdAt", "greaterThanEqual", [f"{HOUR}Z"]), f"created_at >= '{HOUR}'"),
        (("registration", "lessThan", [HOUR]), f"created_at < '{HOUR}'"),
        (("registration", "lessThanEqual", [HOUR]), f"created_at <= '{HOUR}'"),
        (("registration", "between", ["2024-01-01", HOUR]), f"created_at <= '{HOUR}'"),
    ],
)
@pytest.mark.usefixtures("user_ids")
async def test_conditions(api: Api, pool: Pool, asked: tuple[str, str, list], condition: str):
    """Each condition narrows the list and its count to what it says, whichever way it is written."""
    attribute, method, values = asked
    expected = await _by_sql(pool, condition)
    assert expected, "a condition that nobody meets shows nothing"
    written = orjson.dumps(values).decode()
    for text in (query(method, *values, attribute=attribute), f'{method}("{attribute}", {written})'):
        answer = await _list(api, await api_keys.key(pool), text, "limit(100)")
        assert [user["$id"] for user in answer.data["users"]] == expected
        assert answer.data["total"] == len(expected)


async def test_conditions_add_up(api: Api, pool: Pool, user_ids):
    """Several conditions all hold; two of one kind are refused rather than guessed at."""
    server = await api_keys.key(pool)
    verified, named = 'equal("emailVerification", true)', 'equal("name", "name 0")'
    assert await _ids(api, server, verified, named) == await _by_sql(pool, "email_verified and name = 'name 0'")
    twice = await _list(api, server, named, named)
    assert (twice.status, twice.data["type"]) == (400, "general_query_invalid")


@pytest.mark.parametrize(
    "text",
    [
        "", "limit", "limit(", "limit()", "limit(-1)", "limit(1.5)", "limit(101)", "limit(true)", 'limit("5")',
        "limit(1,2)", "limit(5);drop table users", "offset(100001)", "{}", "[]", "null", "7", '{"method":"limit"}',
        '{"method":"limit","values":5}', '{"method":"limit","values":[5],"extra":1}', '{"method":7,"values":[5]}',
        '{"method":"limit","values":[true]}', '{"method":"limit","values":[null]}', 'orderAsc("password_hash")',
        'orderAsc("name; drop table users")', 'equal("password_hash", ["x"])', 'equal("email", [])',
        'equal("email", [1])', 'equal("status", ["blocked"])', 'equal("emailVerification", [true, false])',
        'equal("name", ["a\\u0000b"])', 'notEqual("name", ["x"])', 'select("*")', 'search("name", "")',
        'greaterThan("registration", ["soon"])', 'greaterThan("registration", ["9999-12-31T23:59:59Z"])',
        'greaterThan("registration", ["0001-01-01T00:00:00+14:00"])', 'between("registration", ["2024-01-01"])',
        '{"method":"or","values":[{"method":"limit"}]}',
        "limit(" + "9" * 5000 + ")", "(" * 3000, '{"method":"equal","attribute":"name","values":[{"$ne":""}]}',
    ],
)  # fmt: skip
async def test_wrong_queries(api: Api, pool: Pool, text: str):
    """An unknown or malformed query is 400 general_query_invalid."""
    answer = await _list(api, await api_keys.key(pool), text)
    assert (answer.status, answer.data["type"]) == (400, "general_query_invalid")


@pytest.mark.parametrize("user", ["nobody", "", "a\\u0000b", "' or 1=1 --", "x" * 5000 + "…"])
async def test_a_cursor_that_is_nobody(api: Api, pool: Pool, user: str):
    """A cursor that names no user of the project starts no list."""
    await projects.create(pool, "other", name="Other")
    await pool.execute("insert into users (project_id, id) values ('other', 'theirs')")
    server = await api_keys.key(pool)
    for name in (user[:64], "theirs"):
        answer = await _list(api, server, f'cursorAfter("{name}")')
        if "\\u0000" in name:
            assert answer.data["type"] == "general_query_invalid"
        else:
            assert (answer.status, answer.data["type"]) == (400, "general_cursor_not_found")


@pytest.mark.parametrize("search", ["%", "_", "\\", "100%", "a_c", "'", '"', "%%%", "x' or '1'='1", "(?:a+)+$", "ß"])
async def test_search_is_literal(api: Api, pool: Pool, search: str):
    """A search finds what it says, in any case and wherever it stands; % and _ are letters like others (S45)."""
    server = await api_keys.key(pool)
    names = ["100% sure", "1000 sure", "a_c", "abc", "back\\slash", "O'Neill", 'the "best"', "Große", "x' OR '1'='1"]
    statement = (
        "insert into users (project_id, id, name) "
        "select 'shop', 'u' || n, name from unnest($1::text[]) with ordinality as named(name, n)"
    )
    await pool.execute(statement, names)
    answer = await _list(api, server, search=search)
    assert sorted(user["name"] for user in answer.data["users"]) == sorted(
        name for name in names if search.lower() in name.lower()
    )
    assert answer.data["total"] == len(answer.data["users"])


async def test_search_in_quotes_is_its_words(api: Api, pool: Pool, user_ids: list[str]):
    """With double quotes or without, as a parameter and as a query; a quote within, or a single one, is a letter."""
    server = await api_keys.key(pool)
    await pool.execute("update users set name = 'x \"y\" z' where id = $1 and project_id = 'shop'", user_ids[0])
    for written, wanted in (('"name 2"', "ame 2"), ('"User.1"', "user.1"), ('"y" z"', '"y" z')):
        answer = await _list(api, server, query("limit", 100), search=written)
        plain = await _list(api, server, query("limit", 100), search=wanted)
        assert [user["$id"] for user in answer.data["users"]] == [user["$id"] for user in plain.data["users"]], written
    answer = await _list(api, server, query("limit", 100), query("search", '"AME 2"', attribute="name"))
    assert {user["name"] for user in answer.data["users"]} == {"name 2"}
    answer = await _list(api, server, query("search", '""', attribute="name"))
    assert (answer.status, answer.data["type"]) == (400, "general_query_invalid")


async def test_search_looks_into_three(api: Api, pool: Pool, user_ids: list[str]):
    """Ids, addresses and names are searched, this project's alone."""
    server = await api_keys.key(pool)
    assert await _ids(api, server, search=user_ids[7].upper()) == [user_ids[7]]
    assert len(await _ids(api, server, search="U59@EXAMPLE")) == 1
    assert len(await _ids(api, server, search="name 4", modern=False)) == 12
