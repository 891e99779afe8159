"""The member's security log."""

import json
from urllib.parse import quote

import pytest
from yarl import URL

from service.db import Pool
from service.store import projects
from testkit.api import Api
from worker.security_log import SecurityLogWriter

PATH = "/v1/account/logs"


async def a_long_log(api: Api, pool: Pool, count: int = 30) -> dict[str, str]:
    """A member whose log holds `count` entries, a second apart, the newest from 10.0.0.1."""
    await api.sign_up()
    member = await api.sign_in()
    await SecurityLogWriter(pool).write_pending()
    columns = (
        "os_code, os_name, os_version, client_type, client_code, client_name, client_version, client_engine, "
        "client_engine_version, device_name, device_brand, device_model"
    )
    await pool.execute(
        f"""insert into logs (project_id, id, user_id, name, ip, at, country_code, {columns})
            select project_id, gen_random_uuid(), user_id, name, '10.0.0.' || n, now() - make_interval(secs => n),
                country_code, {columns} from logs, generate_series(1, {count}) n where name = 'account.create'"""
    )
    await pool.execute("delete from logs where ip = '127.0.0.1'")
    await pool.execute("update users set created_at = now() - interval '1 day'")
    return member


async def ips(api: Api, member: dict[str, str], query: str = "", *, version: str = "1.9.5") -> list[int]:
    answer = await api.call(
        "GET", URL(PATH + query, encoded=True), headers=member | {"X-Appwrite-Response-Format": version}
    )
    assert answer.status == 200, answer.data
    return [int(entry["ip"].rpartition(".")[2]) for entry in answer.data["logs"]]


def queries(*asked: object) -> str:
    texts = [one if isinstance(one, str) else json.dumps(one) for one in asked]
    return "?" + "&".join(f"queries[{number}]={quote(text)}" for number, text in enumerate(texts))


async def test_legacy_shows_the_ten_newest(api: Api, pool: Pool):
    """No parameters, no count: the ten newest, newest first."""
    member = await a_long_log(api, pool)
    assert await ips(api, member, version="0.11.0") == list(range(1, 11))
    assert await ips(api, member, "?limit=2&offset=5", version="0.11.0") == list(range(1, 11))


async def test_s66_an_id_had_another_owner_before(api: Api, pool: Pool):
    """A new owner of a deleted account's id does not get its log: addresses and devices of another user."""
    body = {"userId": "ann", "email": "ann@example.com", "password": "correct horse"}
    for _ in range(2):
        await pool.execute("delete from users")
        assert (await api.call("POST", "/v1/account", json=body, modern=True)).status == 201
        member = await api.sign_in()
        await SecurityLogWriter(pool).write_pending()
    answer = await api.call("GET", PATH, headers=member, modern=True)
    assert [entry["event"] for entry in answer.data["logs"]] == ["session.create", "user.create"]
    assert answer.data["total"] == 2


async def test_legacy_shows_the_documented_events_only(api: Api, pool: Pool):
    """An event that the document does not name stays out of the legacy view, not of the modern one."""
    member = await a_long_log(api, pool, 3)
    await pool.execute("update logs set name = 'account.update.status' where ip = '10.0.0.2'")
    assert await ips(api, member, version="0.11.0") == [1, 3]


async def test_modern_pages(api: Api, pool: Pool):
    """25 unless asked otherwise; limit and offset in either spelling; the total counts all."""
    member = await a_long_log(api, pool)
    assert await ips(api, member) == list(range(1, 26))
    limit, offset = {"method": "limit", "values": [5]}, {"method": "offset", "values": [20]}
    assert await ips(api, member, queries(limit)) == [1, 2, 3, 4, 5]
    assert await ips(api, member, queries(offset, limit)) == [21, 22, 23, 24, 25]
    assert await ips(api, member, queries("limit(3)", "offset(28)")) == [29, 30]
    assert await ips(api, member, queries(limit).replace("[0]", "%5B0%5D")) == [1, 2, 3, 4, 5]
    assert await ips(api, member, queries({"method": "limit", "values": [0]})) == []
    answer = await api.call("GET", PATH + queries(limit), headers=member, modern=True)
    assert answer.data["total"] == 30
    answer = await api.call("GET", PATH + "?total=false", headers=member, modern=True)
    assert answer.data["total"] == 0


async def test_the_years_between_page_by_parameters(api: Api, pool: Pool):
    """0.12 to 0.15 ask with plain `limit` and `offset`."""
    member = await a_long_log(api, pool)
    assert await ips(api, member, version="0.13.0") == list(range(1, 26))
    assert await ips(api, member, "?limit=2&offset=5", version="0.13.0") == [6, 7]


@pytest.mark.parametrize(
    "query",
    ["x", "", "limit(x)", "limit(-1)", "limit(101)", "offset(100001)", "limit(5", 'cursorAfter("x")', "{", "[]",
     {"method": "limit"}, {"method": "limit", "values": []}, {"method": "limit", "values": ["5"]},
     {"method": "limit", "values": [5, 6]}, {"method": "limit", "values": [True]}, {"method": "limit", "values": [-1]},
     {"method": "limit", "values": [1.5]}, {"method": "limit", "values": [None]},
     {"method": "limit", "values": [10**30]},
     {"method": "equal", "attribute": "event", "values": ["x"]}, {"method": ["limit"], "values": [1]},
     "[" * 2000, "'; drop table logs; --"],
)  # fmt: skip
async def test_other_queries_are_refused(api: Api, pool: Pool, query: object):
    """Anything but limit and offset within bounds is a 400 of its own type, never a 500."""
    await api.sign_up()
    member = await api.sign_in()
    answer = await api.call("GET", URL(PATH + queries(query), encoded=True), headers=member, modern=True)
    assert (answer.status, answer.data["type"]) == (400, "general_query_invalid")


async def test_a_log_is_its_members_own(api: Api, pool: Pool):
    """Neither another member nor another project sees an entry."""
    await a_long_log(api, pool, 3)
    await api.sign_up("eve@example.com")
    eve = await api.sign_in("eve@example.com")
    await SecurityLogWriter(pool).write_pending()
    answer = await api.call("GET", PATH, headers=eve)
    assert [entry["event"] for entry in answer.data["logs"]] == ["account.sessions.create", "account.create"]
    await projects.create(pool, "other", name="Other")
    assert (await api.call("GET", PATH, headers=eve | {"X-Appwrite-Project": "other"})).status == 401


async def test_only_a_member_reads_a_log(api: Api):
    """A guest reads no log: 401."""
    assert (await api.call("GET", PATH)).status == 401


async def test_the_country_is_named_in_the_readers_language(api: Api, pool: Pool):
    """By header or parameter, which wins; a locale nobody knows is English."""
    member = await a_long_log(api, pool, 1)
    await pool.execute("update logs set country_code = 'de'")
    for headers, query, name in (
        ({}, "", "Germany"), ({"X-Appwrite-Locale": "de"}, "", "Deutschland"),
        ({"X-Appwrite-Locale": "de"}, "?locale=fr", "Allemagne"), ({"X-Appwrite-Locale": "x" * 50}, "", "Germany"),
    ):  # fmt: skip
        answer = await api.call("GET", PATH + query, headers=member | headers)
        (entry,) = answer.data["logs"]
        assert (entry["countryCode"], entry["countryName"]) == ("de", name)


async def test_a_modern_entry_names_its_user(api: Api, pool: Pool):
    """A modern entry names its user as the user is today."""
    member = await a_long_log(api, pool, 1)
    answer = await api.call("GET", PATH, headers=member, modern=True)
    (entry,) = answer.data["logs"]
    assert (entry["userEmail"], entry["mode"], entry["userType"]) == ("ann@example.com", "default", "user")
    assert entry["event"] == "user.create"


FACTORS = {
    "account.update.mfa": "user.update",
    "account.authenticators.create": "user.update",
    "account.authenticators.delete": "user.update",
    "account.recoveryCodes.create": "user.update",
    "account.challenges.create": "challenge.create",
    "account.challenges.update": "challenges.update",
    "account.challenges.failed": "challenge.failed",
    "account.identities.create": "identity.create",
    "account.identities.delete": "identity.delete",
    "account.passkeys.create": "passkey.create",
    "account.passkeys.update": "passkey.update",
    "account.passkeys.delete": "passkey.delete",
    "account.passkeys.tokens.create": "passkey.token.create",
    "account.update.phone": "user.update",
    "account.verification.phone.create": "verification.create",
    "account.verification.phone.update": "verification.update",
    "users.update.mfa": "user.update",
    "users.tokens.create": "tokens.create",
    "users.sessions.create": "session.create",
    "users.challenges.read": "challenge.read",
}


async def test_factors_and_passkeys_in_the_log(api: Api, pool: Pool):
    """Modern names what was done to them, and each wrong code; the legacy log has none of it."""
    member = await a_long_log(api, pool, len(FACTORS))
    for number, name in enumerate(FACTORS, 1):
        await pool.execute("update logs set name = $1 where ip = $2", name, f"10.0.0.{number}")
    answer = await api.call("GET", PATH, headers=member, modern=True)
    assert [entry["event"] for entry in answer.data["logs"]] == list(FACTORS.values())
    assert (await api.call("GET", PATH, headers=member)).data["logs"] == []
