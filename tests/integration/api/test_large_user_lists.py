"""Lists of a project with more users than can be looked through: by an index, or refused."""

import pytest

from service.db import Pool, Queries
from service.store import user_search, user_windows, users
from service.store.migrations import migrate
from testkit import api_keys
from testkit.api import Api

_MANY = "insert into users (project_id, id, name) select 'shop', 'many' || n, 'Many' from generate_series(1, $1) n"


@pytest.fixture
async def server(pool: Pool, project) -> dict[str, str]:
    """A key of a project with many users and Ann."""
    await pool.execute(_MANY, user_search.MOST)
    await pool.execute(
        "insert into users (project_id, id, email, name, phone, labels) values"
        " ('shop', 'needle1', 'ann@shop.example', 'Änn O''Needle%', '+4915112345678', '{vip}')"
    )
    return await api_keys.key(pool)


async def _ids(api: Api, server: dict[str, str], *queries: str, **plain: str) -> tuple[int, list[str]]:
    params = [("queries[]", text) for text in queries] + list(plain.items())
    answer = await api.call("GET", "/v1/users", headers=server, params=params, modern=True)
    assert answer.status == 200, answer.data
    return answer.data["total"], [user["$id"] for user in answer.data["users"]]


async def _refusal(api: Api, server: dict[str, str], *queries: str, **plain: str) -> str:
    params = [("queries[]", text) for text in queries] + list(plain.items())
    answer = await api.call("GET", "/v1/users", headers=server, params=params, modern=True)
    assert (answer.status, answer.data["type"]) == (400, "general_query_invalid")
    return answer.data["message"]


async def test_parts_of_texts_are_found(api: Api, server: dict[str, str]):
    """Whatever the letters' case, in each of the four texts, without wildcards, and with other conditions."""
    for part in ("NEEDLE1", "ANN@shop", "+491511", "änn o", "needle%"):
        assert await _ids(api, server, search=part) == (1, ["needle1"]), part
    assert await _ids(api, server, search="nee%le") == (0, [])
    for field, part in (("name", "o'nee"), ("email", "shop.exa"), ("phone", "12345")):
        assert await _ids(api, server, f'contains("{field}", ["{part}"])') == (1, ["needle1"])
    assert await _ids(api, server, 'search("name", "needle")', 'contains("labels", ["other"])') == (0, [])
    assert await _ids(api, server, 'equal("$id", ["many1"])', search="needle") == (0, [])
    total, page = await _ids(api, server, 'orderDesc("accessedAt")', search="many49")
    assert (total, len(page)) == (111, 25)


async def test_pieces_of_a_part_are_not_the_part(api: Api, pool: Pool, server: dict[str, str]):
    """The index is asked for the rarest letters of a part; whoever has them in another order is not found."""
    await pool.execute("insert into users (project_id, id, name) values ('shop', 'other', 'Need eedl edle dle1')")
    for part in ("needle1", "edle1", "eedl", "need", "NEEDLE%"):
        total, found = await _ids(api, server, search=part)
        assert (total, "other" in found) == ((2, True) if part in {"eedl", "need"} else (1, False)), part


async def test_a_text_of_many_is_found_in_windows(api: Api, server: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    """More than 1,000 users match: in an order with an index alone, 5,000 users a statement, up to a bound."""
    last = sorted(f"many{number}" for number in range(1, user_search.MOST + 1))[-50:]
    page = ('orderAsc("name")', "limit(100)", "offset(4950)")
    assert await _ids(api, server, *page, search="many") == (5000, last)
    assert (await _ids(api, server, "offset(5000)", search="many"))[1] == []
    assert "cursor" in await _refusal(api, server, 'orderAsc("name")', "offset(5000)", search="many")
    assert "1000" in await _refusal(api, server, 'orderAsc("accessedAt")', search="many")
    monkeypatch.setattr(user_windows, "_WINDOWS", 1)
    assert "5000" in await _refusal(api, server, *page, search="many")


async def test_conditions_of_many_are_read_in_windows_too(api: Api, pool: Pool, server: dict[str, str]):
    """Two that many users meet and nobody both: empty, and no statement reads on where an index has no more."""
    await pool.execute("update users set labels = '{free}' where id like 'many%'")
    await pool.execute("vacuum analyze users")
    free, unverified = 'contains("labels", ["free"])', 'equal("emailVerification", [false])'
    assert (await _ids(api, server, free, unverified, 'orderDesc("name")'))[0] == 5000
    assert await _ids(api, server, free, 'equal("emailVerification", [true])') == (0, [])


async def test_a_text_follows_its_user(api: Api, pool: Pool, server: dict[str, str]):
    """A new name is found and the former one is not; nothing is kept of a deleted user."""
    ann = await users.find(pool, "shop", user_id="needle1")
    assert ann
    await users.change_name(pool, ann, name="Pinhead")
    assert await _ids(api, server, 'contains("name", ["needle"])') == (0, [])
    assert await _ids(api, server, search="PINHEAD") == (1, ["needle1"])
    await users.delete(pool, ann)
    assert await pool.fetch("select from user_texts where id = 'needle1'") == []


async def test_what_would_read_every_user_is_refused(api: Api, pool: Pool, server: dict[str, str], database: str):
    """A search that no index knows, and an order without one, unless the filter leaves few; the message says so."""
    for part in ("a-b", "½½½"):
        assert "three letters" in await _refusal(api, server, search=part), part
    assert "three letters" in await _refusal(api, server, search="nİl@"), "in an address it is n, i, a dot, and l"
    assert "narrow" in await _refusal(api, server, 'orderAsc("accessedAt")')
    assert await _ids(api, server, 'orderAsc("accessedAt")', 'contains("labels", ["vip"])') == (1, ["needle1"])
    await pool.execute("drop index user_texts_trigrams")
    assert "no index" in await _refusal(api, server, search="needle")
    await migrate(database)  # the next test has the index again


async def test_a_server_without_trigrams_finds_how_texts_begin(
    api: Api, pool: Pool, server: dict[str, str], database: str
):
    """By indexes of prefixes, which `migrate` makes there and drops once it can make the better one; no other parts."""
    await pool.execute("drop index user_texts_trigrams")
    create_trigrams = (await pool.fetchrow("select pg_get_functiondef('create_trigrams'::regproc)"))[0]
    await pool.execute("create or replace function create_trigrams() returns boolean language sql as 'select false'")
    assert await migrate(database) == []
    for part in ("NEEDLE1", "ANN@shop", "+491511", "änn o"):
        assert await _ids(api, server, search=part) == (1, ["needle1"]), part
    for part in ("eedle", "nn o", "shop.example", "nee%", "-"):
        assert await _ids(api, server, search=part) == (0, []), part
    assert (await _ids(api, server, search="many"))[0] == user_search.MOST
    assert "how texts begin" in await _refusal(api, server, 'contains("name", ["needle"])')
    assert "how texts begin" in await _refusal(api, server, 'contains("name", ["needle"])', search="needle")
    await pool.execute("vacuum full analyze user_texts")  # of the rows of other tests
    statement = Queries("user_texts").statements["find_users_by_prefix"]
    plan = await pool.fetch(f"explain {statement.sql}", "shop", "needle", "needle", 9)
    assert not [row[0] for row in plan if "Seq Scan" in row[0]], plan
    await pool.execute(create_trigrams)
    assert await migrate(database) == []
    names = await pool.fetch("select indexrelid::regclass::text from pg_index where indrelid = 'user_texts'::regclass")
    assert {row[0] for row in names} == {"user_texts_pkey", "user_texts_trigrams"}


async def test_migrate_makes_the_index_later_too(pool: Pool, server: dict[str, str], database: str):
    """Once the server has pg_trgm: the users that are there come into the table first."""
    await pool.execute("drop index user_texts_trigrams")
    await pool.execute("delete from user_texts")
    assert await migrate(database) == []
    assert (await pool.fetchrow("select count(*) from user_texts"))[0] == user_search.MOST + 1
    await pool.execute("analyze user_texts")
    statement = Queries("user_texts").statements["find_users_by_text"]
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("set local enable_seqscan = off")
        facts = dict.fromkeys(statement.params) | {"project_id": "shop", "most": 9}
        facts |= {"search": "needle", "search_email": "needle", "search_like": "%nee%", "search_email_like": "%nee%"}
        plan = await connection.fetch(f"explain {statement.sql}", *facts.values())
    assert any("user_texts_trigrams" in row[0] for row in plan), plan


@pytest.mark.parametrize("by", ["created_at", "name", "email", "id"])
@pytest.mark.parametrize("descending", [False, True])
async def test_a_page_in_an_order_reads_its_index_alone(pool: Pool, server: dict[str, str], by: str, descending: bool):
    """The first page and one behind a cursor are read in order: nothing is sorted but the page itself."""
    await pool.execute("vacuum full analyze users")  # of the rows of other tests
    statement = Queries("user_lists").statements["list_users"]
    facts = dict.fromkeys(statement.params) | {
        "project_id": "shop", "by": by, "descending": descending, "limit": 25, "offset": 0,
    }  # fmt: skip
    for cursor in (None, "many1"):
        moment = None if cursor is None else (await pool.fetchrow("select now()"))[0]
        facts |= {"cursor": cursor, "moment": moment, "word": None if cursor is None else "m"}
        plan = [row[0] for row in await pool.fetch(f"explain {statement.sql}", *facts.values())]
        assert not [line for line in plan if "Seq Scan" in line], plan
        if cursor:
            read = next(line for line in plan if "Index Cond" in line)
            assert " AND " in read, "nothing before the cursor is read"
