"""Passkeys of a member, and sign-in with them, as today's SDKs see both."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from service.db import Pool
from service.store import passkey_challenges, project_deletion, projects
from testkit import api_keys, passkeys, processes
from testkit.api import Api, cookie_of, kind, one_won
from testkit.authenticator import Authenticator, decode, encode
from testkit.factors import PATH as MFA
from testkit.factors import Person, signed_in, verified
from testkit.passkeys import PATH, TOKENS, add, begin, challenge, enter, finish, open_session, prove, sign, switch_on
from testkit.waiting import until

OLD = "update sessions set created_at = now() - interval '11 minutes', mfa_at = null"


@pytest.fixture
async def ann(api: Api, pool: Pool) -> Person:
    """Ann, whose address is proved, in a project with passkeys."""
    await switch_on(api, pool)
    return await verified(api, pool)


async def test_a_passkey_is_made_and_signs_in(api: Api, pool: Pool, ann: Person):
    """Two ceremonies: the session has two factors from its first second on, and is not gated."""
    user = (await ann.call("GET", "/v1/account")).data
    begun = await begin(ann, name="Phone")
    assert begun.keys() == {"$id", "$createdAt", "passkeyId", "expire", "publicKey"}
    credential, holder = Authenticator().create(begun["publicKey"])
    made = await finish(ann, begun, credential)
    assert made.status == 200
    assert made.data.keys() == {"$id", "$createdAt", "$updatedAt", "name", "accessedAt"}
    assert (made.data["$id"], made.data["name"], made.data["accessedAt"]) == (begun["passkeyId"], "Phone", "")
    await ann.call("PATCH", MFA, mfa=True)
    signed = await sign(api, holder)
    assert signed.status == 201
    assert signed.data.keys() == {"$id", "$createdAt", "userId", "secret", "expire", "phrase"}
    assert (signed.data["userId"], len(signed.data["secret"])) == (user["$id"], 256)
    opened = await open_session(api, signed.data)
    assert opened.status == 201
    assert (opened.data["provider"], opened.data["factors"]) == ("passkey", ["passkey", "userVerification"])
    assert opened.data["mfaUpdatedAt"] != ""
    person = Person(api, pool, {"Cookie": cookie_of(opened)})
    assert (await person.call("GET", "/v1/account")).data["$id"] == user["$id"]
    assert (await person.call("GET", f"{PATH}/{begun['passkeyId']}")).data["accessedAt"] != ""
    assert kind(await open_session(api, signed.data)) == (401, "user_invalid_token")


async def test_the_options_of_a_registration(pool: Pool, ann: Person):
    """As `parseCreationOptionsFromJSON()` reads them; the user's handle stays, and known authenticators are named."""
    await ann.call("PATCH", "/v1/account/name", name="Ann")
    _, holder = await add(ann)
    options = (await begin(ann))["publicKey"]
    challenge, user = options.pop("challenge"), options.pop("user")
    assert len(decode(challenge)) == 32
    assert user == {"id": encode(holder.handle), "name": "ann@example.com", "displayName": "Ann"}
    assert len(holder.handle) == 32
    assert options == {
        "rp": {"name": "Shop", "id": "shop.example"},
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in (-7, -257, -8)],
        "timeout": 300_000,
        "excludeCredentials": [
            {"id": encode(holder.credential_id), "type": "public-key", "transports": ["hybrid", "internal"]}
        ],
        "authenticatorSelection": {
            "residentKey": "required", "requireResidentKey": True, "userVerification": "required",
        },
        "attestation": "none",
    }  # fmt: skip
    assert (await begin(ann, name="Phone"))["publicKey"]["user"]["displayName"] == "Phone"


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ("email = null", "+4915112345678"), ("email = null, phone = null", "Ann"),
        ("email = null, phone = null, name = ''", None),
    ],
)  # fmt: skip
async def test_a_registration_names_the_account(pool: Pool, ann: Person, facts: str, name: str | None):
    """Without an address by its number, else by the user's name, else by its id."""
    await pool.execute("update users set phone = '+4915112345678', name = 'Ann'")
    await pool.execute(f"update users set {facts}")
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    assert (await begin(ann))["publicKey"]["user"]["name"] == (name or user_id)


async def test_the_options_of_a_sign_in(api: Api, ann: Person):
    """They name no credential, and so no user."""
    begun = await challenge(api)
    assert begun["passkeyId"] == ""
    options = begun["publicKey"]
    assert len(decode(options.pop("challenge"))) == 32
    assert options == {
        "timeout": 300_000, "rpId": "shop.example", "allowCredentials": [], "userVerification": "required",
    }  # fmt: skip


@pytest.mark.parametrize("way", ["off", "no host", "no origin"])
async def test_where_passkeys_are_off(api: Api, pool: Pool, ann: Person, way: str):
    """Nothing begins: 501. What has begun may end, unless the host is gone."""
    begun = await begin(ann)
    credential, _ = Authenticator().create(begun["publicKey"])
    rules = {"off": {"passkeys": False}, "no host": {"rp_id": ""}, "no origin": {"rp_id": "localhost"}}[way]
    if way == "no origin":
        await projects.remove_platform(pool, "shop", hostname="localhost")
    await projects.change(pool, "shop", **rules)
    passkeys.forget_projects(api)
    assert kind(await ann.call("POST", PATH)) == (501, "user_auth_method_unsupported")
    assert kind(await api.call("POST", TOKENS, json={}, modern=True)) == (501, "user_auth_method_unsupported")
    finished = await finish(ann, begun, credential)
    assert finished.status == (200 if way == "off" else 401)
    assert (await ann.call("GET", PATH)).data["total"] == (1 if way == "off" else 0)


async def test_passkeys_take_a_recent_sign_in(api: Api, pool: Pool, ann: Person):
    """Making and removing one; extending the session makes it no newer, a challenge does."""
    app = await ann.enrol()
    begun = await begin(ann)
    credential, _ = Authenticator().create(begun["publicKey"])
    await pool.execute(OLD.replace("11 minutes", "9 minutes"))
    assert kind(await ann.call("DELETE", f"{PATH}/x")) == (404, "user_passkey_not_found")
    await pool.execute(OLD)
    assert (await ann.call("PATCH", "/v1/account/sessions/current")).status == 200
    for method, path in (("POST", PATH), ("PUT", f"{PATH}/{begun['passkeyId']}/verification"), ("DELETE", f"{PATH}/x")):
        assert kind(await ann.call(method, path, credential=credential)) == (401, "user_reauthentication_required")
    assert (await ann.call("GET", PATH)).status == 200
    assert (await ann.prove("totp", await app.unused())).status == 200
    assert (await finish(ann, begun, credential)).status == 200


async def test_ten_passkeys_at_most(ann: Person, pool: Pool):
    """Those that are being made count for five minutes; the limit of calls is not what this is about."""
    await pool.execute("update projects set limits = '{\"create_passkey.user\": []}'")
    passkeys.forget_projects(ann.api)
    for _ in range(9):
        await begin(ann)
    await add(ann)
    assert kind(await ann.call("POST", PATH)) == (400, "user_passkey_limit_exceeded")
    await pool.execute("update passkey_challenges set expires_at = now()")
    await begin(ann)


async def test_ids_of_passkeys(api: Api, pool: Pool, ann: Person):
    """One's own pending one is begun anew, and its earlier challenge is void; others and finished ones are taken."""
    eve = await verified(api, pool, "eve@example.com")
    first = await begin(ann, passkeyId="phone")
    assert kind(await eve.call("POST", PATH, passkeyId="phone")) == (409, "user_passkey_already_exists")
    second = await begin(ann, passkeyId="phone", name="New")
    old, _ = Authenticator().create(first["publicKey"])
    assert kind(await finish(ann, second, old)) == (401, "user_passkey_invalid")
    third = await begin(ann, passkeyId="phone", name="New")
    credential, _ = Authenticator().create(third["publicKey"])
    assert (await finish(ann, third, credential)).data["name"] == "New"
    assert kind(await ann.call("POST", PATH, passkeyId="phone")) == (409, "user_passkey_already_exists")
    assert kind(await finish(ann, third, credential)) == (404, "user_passkey_not_found")
    await begin(ann, passkeyId="key")
    await pool.execute("update passkey_challenges set expires_at = now()")
    await begin(eve, passkeyId="key")
    for bad in ("-x", "a" * 37, 7):
        assert kind(await ann.call("POST", PATH, passkeyId=bad)) == (400, "general_argument_invalid")


async def test_a_credential_is_registered_once(api: Api, pool: Pool, ann: Person):
    """Neither twice for a user nor for two: 409."""
    _, holder = await add(ann)
    eve = await verified(api, pool, "eve@example.com")
    for person in (ann, eve):
        begun = await begin(person)
        credential, _ = holder.create(begun["publicKey"])
        assert kind(await finish(person, begun, credential)) == (409, "user_passkey_already_exists")


async def test_reading_renaming_removing(api: Api, pool: Pool, ann: Person):
    """One's own and finished ones only; a removed one signs nobody in, nor does a token that it had signed for."""
    one, holder = await add(ann)
    pending = (await begin(ann))["passkeyId"]
    eve = await verified(api, pool, "eve@example.com")
    signed = await sign(api, holder)
    for person, id_ in ((eve, one), (ann, pending), (ann, "none")):
        for method, body in (("GET", {}), ("PATCH", {"name": "x"}), ("DELETE", {})):
            assert kind(await person.call(method, f"{PATH}/{id_}", **body)) == (404, "user_passkey_not_found")
    credential, _ = Authenticator().create((await begin(eve))["publicKey"])
    assert kind(await finish(eve, {"passkeyId": pending}, credential)) == (404, "user_passkey_not_found")
    assert (await ann.call("PATCH", f"{PATH}/{one}", name="Key")).data["name"] == "Key"
    for name in ("", "x" * 129, None):
        assert (await ann.call("PATCH", f"{PATH}/{one}", name=name)).status == 400
    assert (await ann.call("DELETE", f"{PATH}/{one}")).status == 204
    assert kind(await ann.call("DELETE", f"{PATH}/{one}")) == (404, "user_passkey_not_found")
    assert kind(await sign(api, holder)) == (401, "user_passkey_invalid")
    assert kind(await open_session(api, signed.data)) == (401, "user_invalid_token")
    told = await pool.fetch("select facts from mails where letter = 'security_changed' order by created_at")
    assert [row[0]["change"] for row in told] == ["passkey_added", "passkey_removed"]
    names = [row[0] for row in await pool.fetch("select name from events where name like '%passkeys%' order by id")]
    assert names == [
        "account.passkeys.create", "account.passkeys.tokens.create", "account.passkeys.update",
        "account.passkeys.delete",
    ]  # fmt: skip


async def test_the_list(ann: Person):
    """Oldest first, with the queries of the contract."""
    ids = [(await add(ann, passkeyId=name, name=name.upper()))[0] for name in ("b", "a", "c")]

    async def listed(*queries: str) -> list[str]:
        params = [("queries[]", text) for text in queries]
        answer = await ann.api.call("GET", PATH, modern=True, headers=ann.headers, params=params)
        assert answer.status == 200, answer.data
        return [row["$id"] for row in answer.data["passkeys"]]

    assert await listed() == ids
    assert await listed('{"method":"orderAsc","attribute":"name"}') == ["a", "b", "c"]
    assert await listed('{"method":"orderDesc","attribute":"$createdAt"}') == ["c", "a", "b"]
    assert await listed('{"method":"limit","values":[1]}', '{"method":"offset","values":[1]}') == ["a"]
    assert await listed('{"method":"cursorAfter","values":["b"]}') == ["a", "c"]
    assert await listed('{"method":"cursorBefore","values":["c"]}', '{"method":"limit","values":[1]}') == ["a"]
    assert await listed('{"method":"equal","attribute":"name","values":["A"]}') == ["a"]
    assert await listed('{"method":"search","attribute":"name","values":["b"]}') == ["b"]
    assert await listed('{"method":"greaterThan","attribute":"accessedAt","values":["2020-01-01"]}') == []
    assert await listed('{"method":"lessThan","attribute":"$updatedAt","values":["2120-01-01"]}') == ids
    for bad, error in (
        ('{"method":"equal","attribute":"secret","values":["x"]}', "general_query_invalid"),
        ('{"method":"cursorAfter","values":["none"]}', "general_cursor_not_found"),
        ("x", "general_query_invalid"),
    ):
        answer = await ann.api.call("GET", PATH, modern=True, headers=ann.headers, params={"queries[]": bad})
        assert kind(answer) == (400, error)
    answer = await ann.api.call("GET", PATH, modern=True, headers=ann.headers, params={"total": "false"})
    assert answer.data["total"] == 0


async def test_the_last_way_in_stays(api: Api, pool: Pool):
    """A user without password and proved address keeps the only passkey; a second one may go, and an operator may."""
    await switch_on(api, pool)
    opened = await api.call("POST", "/v1/account/sessions/anonymous", json={}, modern=True)
    guest = Person(api, pool, {"Cookie": cookie_of(opened)})
    user_id = (await guest.call("GET", "/v1/account")).data["$id"]
    one, holder = await add(guest)
    two, _ = await add(guest)
    assert (await guest.call("DELETE", f"{PATH}/{two}")).status == 204
    assert kind(await guest.call("DELETE", f"{PATH}/{one}")) == (400, "general_bad_request")
    again = await enter(api, pool, holder)
    assert (await again.call("GET", "/v1/account")).data["$id"] == user_id
    server = Person(api, pool, await api_keys.key(pool))
    assert (await server.call("DELETE", f"/v1/users/{user_id}/passkeys/{one}")).status == 204


async def test_a_blocked_user(api: Api, pool: Pool, ann: Person):
    """Told so with a good signature only; a token of before opens nothing."""
    _, holder = await add(ann)
    signed = await sign(api, holder)
    await pool.execute("update users set status = 'blocked'")
    assert kind(await sign(api, holder)) == (403, "user_blocked")
    assert kind(await sign(api, replace(holder, verifies=False))) == (401, "user_passkey_invalid")
    assert kind(await open_session(api, signed.data)) == (403, "user_blocked")


async def test_a_deleted_user(api: Api, pool: Pool, ann: Person):
    """The passkey goes with its user: one with the same id later has none."""
    user_id = (await ann.call("GET", "/v1/account")).data["$id"]
    _, holder = await add(ann)
    server = Person(api, pool, await api_keys.key(pool))
    assert (await server.call("DELETE", f"/v1/users/{user_id}")).status == 204
    await server.call("POST", "/v1/users", userId=user_id, email="new@example.com")
    assert kind(await sign(api, holder)) == (401, "user_passkey_invalid")
    assert await pool.fetchrow("select from passkeys") is None


async def test_a_passkey_survives_new_passwords(api: Api, pool: Pool, ann: Person):
    """A change of password and the end of all sessions leave it."""
    _, holder = await add(ann)
    await ann.call("PATCH", "/v1/account/password", password="another horse", oldPassword="correct horse")
    again = await signed_in(api, pool, password="another horse")
    assert (await again.call("DELETE", "/v1/account/sessions")).status == 204
    assert (await sign(api, holder)).status == 201


async def test_the_counter(api: Api, pool: Pool, ann: Person):
    """It grows on one device; a synced passkey's says nothing, and neither does one that is always 0."""
    _, alone = await add(ann, Authenticator(counter=5))
    assert (await sign(api, replace(alone, counter=6))).status == 201
    for counter in (6, 5, 0):
        assert kind(await sign(api, replace(alone, counter=counter))) == (401, "user_passkey_invalid")
    _, synced = await add(ann, Authenticator(counter=5, backup_eligible=True))
    assert (await sign(api, replace(synced, counter=3, backed_up=True))).status == 201
    _, without = await add(ann)
    assert (await sign(api, without)).status == 201
    assert (await sign(api, without)).status == 201


async def test_a_counter_grows_once(api: Api, pool: Pool, ann: Person):
    """Of twenty signatures with one value of the counter, each to a challenge of its own, one counts."""
    _, holder = await add(ann, Authenticator(counter=1))
    copy = replace(holder, counter=2)
    pending = [await challenge(api) for _ in range(20)]
    answers = await asyncio.gather(*(prove(api, begun, copy.get(begun["publicKey"])) for begun in pending))
    assert one_won(answer.status for answer in answers)


async def test_sign_ins_that_wait_are_bounded(api: Api, pool: Pool, ann: Person, monkeypatch: pytest.MonkeyPatch):
    """Anybody may begin one: beyond the project's number it is 503 until some end; used ones don't count."""
    monkeypatch.setattr(passkey_challenges, "MOST_SIGN_INS", 3)
    _, holder = await add(ann)
    begun = [await challenge(api) for _ in range(3)]
    refused = await api.call("POST", TOKENS, json={}, modern=True)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) == 300
    assert (await prove(api, begun[0], holder.get(begun[0]["publicKey"]))).status == 201
    await challenge(api)
    await begin(ann)


async def test_localhost_beside_the_host_of_production(api: Api, pool: Pool, ann: Person):
    """A page on a developer's machine makes passkeys for localhost, on any port, which are none of the host's."""
    here = {"Origin": "http://localhost:3000"}
    ann.headers |= here
    begun = await begin(ann)
    assert begun["publicKey"]["rp"]["id"] == "localhost"
    credential, holder = Authenticator(origin=here["Origin"], rp_id="localhost").create(begun["publicKey"])
    assert (await finish(ann, begun, credential)).status == 200
    asked = await challenge(api, headers=here)
    assert asked["publicKey"]["rpId"] == "localhost"
    assert (await prove(api, asked, holder.get(asked["publicKey"]))).status == 201
    assert kind(await sign(api, holder)) == (401, "user_passkey_invalid")


async def test_a_deleted_project(api: Api, pool: Pool, ann: Person):
    """Its passkeys and all ceremonies under way go with it."""
    await add(ann)
    await begin(ann)
    await challenge(api)
    assert await project_deletion.delete(pool, "shop", report=lambda _: None)
    assert await pool.fetchrow("select from passkeys") is None
    assert await pool.fetchrow("select from passkey_challenges") is None


@pytest.mark.unlimited  # it is asked until it has the new option
async def test_a_process_without_passkeys_never_imports_their_library(
    environment: dict[str, str], pool: Pool, project: projects.Project
):
    """Whatever is asked of it, by anybody: the library's parser is no part of the process."""

    async def ask(address: str) -> list[int]:
        headers = {"X-Appwrite-Project": project.id, "X-Appwrite-Response-Format": "1.9.5"}
        async with ClientSession(address, headers=headers) as client:
            answers = [
                await client.post(TOKENS, json={}),
                await client.put(TOKENS, json={"challengeId": "none", "credential": {"rawId": "AQID"}}),
            ]
            return [answer.status for answer in answers]

    async with processes.api(environment) as (running, address):
        maps = Path(f"/proc/{running.process.pid}/maps")
        assert await ask(address) == [501, 401]
        assert "cbor2" not in maps.read_text()
        await projects.change(pool, project.id, passkeys=True, rp_id="shop.example")

        async def begun() -> bool:
            return (await ask(address))[0] == 201

        await until(begun)
        assert "cbor2" in maps.read_text(), "else it would not be seen above either"
