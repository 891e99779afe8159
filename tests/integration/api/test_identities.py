"""Identities: whose account one opens, how members and operators see and remove them."""

import asyncio
import json
from typing import Any

import pytest

from service.db import Pool
from service.store import projects, users
from testkit import hostile_provider
from testkit.api import Api
from testkit.identity_provider import IdentityProvider
from testkit.visitor import HOME, Visitor, change_project, error, with_password

IDENTITIES = "/v1/account/identities"


async def test_a_proved_address_leads_to_its_account(visitor: Visitor, api: Api, pool: Pool):
    """The owner of a verified account gets in, keeps everything, and is told; the link of the letter undoes it."""
    made = await api.sign_up()
    await pool.execute("update users set email_verified = true, proved_by_holder = true")
    assert (await visitor.sign_in()).headers["Location"] == HOME
    assert (await visitor.account())["$id"] == made["$id"]
    assert (await pool.fetchrow("select password_hash is not null from users"))[0]
    letters = await pool.fetch("select letter, facts ->> 'change' from mails where letter = 'security_changed'")
    assert [tuple(row) for row in letters] == [("security_changed", "identity_added")]


async def test_an_unproved_account_loses_what_its_maker_put_there(visitor: Visitor, api: Api, pool: Pool):
    """Whoever signed up with another person's address keeps neither password nor session once its owner comes."""
    squatter = await with_password(api, visitor.provider)
    assert (await visitor.sign_in()).headers["Location"] == HOME
    assert (await squatter.call("GET", "/v1/account")).status == 401
    user = await pool.fetchrow("select password_hash, email_verified, proved_by_holder, mfa from users")
    assert tuple(user) == (None, True, True, False)


@pytest.mark.parametrize("proved", [True, False])
async def test_another_spelling_of_a_mailbox_makes_no_account(visitor: Visitor, api: Api, pool: Pool, proved: bool):
    """As a taken address that is not proved it is refused, where the project takes one account for each mailbox."""
    await api.sign_up("ann@gmail.com")
    await pool.execute("update users set email_verified = true")
    await change_project(api, one_per_mailbox=True)
    visitor.provider.user |= {"email": "a.nn@gmail.com", "email_verified": proved}
    assert error(await visitor.sign_in()) == (400, "general_bad_request")
    assert [row[0] for row in await pool.fetch("select email from users")] == ["ann@gmail.com"]


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email_verified": None}, {"email_verified": "false"}])
async def test_an_unproved_address_leads_nowhere(visitor: Visitor, api: Api, pool: Pool, claims: dict):
    """An address that the provider does not vouch for opens no account, and makes none beside it."""
    await api.sign_up()
    visitor.provider.user |= claims
    assert error(await visitor.sign_in()) == (400, "general_bad_request")
    assert (await pool.fetchrow("select count(*) from users"))[0] == 1
    assert (await pool.fetchrow("select count(*) from identities"))[0] == 0


async def test_private_sign_up_hides_who_has_an_account(visitor: Visitor, api: Api):
    """An unproved address is left out where sign-up tells nothing, whether or not somebody has it."""
    await api.sign_up()
    await change_project(api, private_signup=True)
    visitor.provider.user["email_verified"] = False
    assert (await visitor.sign_in()).headers["Location"] == HOME
    assert (await visitor.account())["email"] == ""
    bob = Visitor(api, visitor.provider)
    visitor.provider.user |= {"sub": "user-2", "email": "bob@example.com"}
    assert (await bob.sign_in()).headers["Location"] == HOME
    assert (await bob.account())["email"] == ""


async def test_private_sign_up_hides_it_from_guests_too(visitor: Visitor, api: Api):
    """Linking an unproved address tells a guest whether another account has it, unless sign-up is private."""
    await api.sign_up()
    visitor.provider.user["email_verified"] = False
    await visitor.call("POST", "/v1/account/sessions/anonymous")
    assert error(await visitor.sign_in()) == (409, "user_already_exists")
    await change_project(api, private_signup=True)
    assert (await visitor.sign_in()).headers["Location"] == HOME
    assert (await visitor.account())["email"] == ""


async def test_a_user_may_have_no_address(visitor: Visitor):
    """A provider that tells no address still signs a user in."""
    visitor.provider.user["email"] = None
    assert (await visitor.sign_in()).headers["Location"] == HOME
    account = await visitor.account()
    assert (account["email"], account["emailVerification"]) == ("", False)


async def test_an_address_of_another_identity_is_no_proof(visitor: Visitor, api: Api, pool: Pool):
    """An address that once came with another user's identity may have changed hands: it is nobody's proof."""
    await visitor.sign_in()
    await pool.execute("update users set email = 'ann@new.example'")
    visitor.provider.user["sub"] = "user-2"
    assert error(await Visitor(api, visitor.provider).sign_in()) == (400, "general_bad_request")


async def test_an_address_that_an_account_can_not_have(visitor: Visitor, pool: Pool):
    """A new user needs an address that the project takes; a known one gets in all the same."""
    visitor.provider.user["email"] = "ann@shop.local"
    assert error(await visitor.sign_in()) == (400, "general_invalid_email")
    assert (await pool.fetchrow("select count(*) from users"))[0] == 0
    visitor.provider.user["email"] = "ann@example.com"
    await visitor.sign_in()
    visitor.provider.user["email"] = "ann@shop.local"
    assert (await visitor.sign_in()).headers["Location"] == HOME


async def test_a_blocked_user_stays_out(visitor: Visitor, api: Api, pool: Pool):
    """A provider's word opens no blocked account, known or not."""
    await visitor.sign_in()
    await pool.execute("update users set status = 'blocked'")
    assert error(await Visitor(api, visitor.provider).sign_in()) == (403, "user_blocked")
    await pool.execute("delete from identities")
    assert error(await Visitor(api, visitor.provider).sign_in()) == (403, "user_blocked")


async def test_a_member_links_an_identity(api: Api, provider: IdentityProvider, pool: Pool):
    """A signed-in member adds a provider, and may sign in by it afterwards."""
    bob = await with_password(api, provider, "bob@example.com")
    assert (await bob.sign_in()).headers["Location"] == HOME
    account = await bob.account()
    assert (account["email"], account["emailVerification"]) == ("bob@example.com", False)
    again = Visitor(api, provider)
    await again.sign_in()
    assert (await again.account())["$id"] == account["$id"]
    log = (await bob.call("GET", "/v1/account/logs")).data
    assert log["total"] >= 0
    events = await pool.fetch("select name from events where name like '%identities%'")
    assert [row[0] for row in events] == ["account.identities.create"]


async def test_linking_needs_a_recent_sign_in(api: Api, provider: IdentityProvider, pool: Pool):
    """A session that was left open yesterday does not add a way in."""
    bob = await with_password(api, provider, "bob@example.com")
    await pool.execute("update sessions set created_at = now() - interval '11 minutes'")
    assert error(await bob.sign_in()) == (401, "user_reauthentication_required")
    assert (await pool.fetchrow("select count(*) from identities"))[0] == 0


async def test_linking_needs_the_second_factor(api: Api, provider: IdentityProvider, pool: Pool):
    """A stolen password alone does not add a way in that asks for less."""
    bob = await with_password(api, provider, "bob@example.com")
    await pool.execute("update users set mfa = true, email_verified = true, proved_by_holder = true")
    assert error(await bob.sign_in()) == (401, "user_more_factors_required")
    assert (await pool.fetchrow("select count(*) from identities"))[0] == 0


async def test_an_anonymous_user_gets_the_address(visitor: Visitor, api: Api, pool: Pool):
    """A guest who adds a provider keeps the account, and has an address from then on."""
    opened = await visitor.call("POST", "/v1/account/sessions/anonymous")
    assert opened.status == 201
    await pool.execute("update sessions set created_at = now() - interval '11 minutes'")
    assert (await visitor.sign_in()).headers["Location"] == HOME
    account = await visitor.account()
    assert account["$id"] == opened.data["userId"]
    assert (account["email"], account["emailVerification"]) == ("ann@example.com", True)


async def test_an_anonymous_user_takes_nobodys_address(visitor: Visitor, api: Api, pool: Pool):
    """The address of another account is not to be had by linking."""
    await api.sign_up()
    await visitor.call("POST", "/v1/account/sessions/anonymous")
    assert error(await visitor.sign_in()) == (409, "user_already_exists")
    assert (await pool.fetchrow("select count(*) from identities"))[0] == 0


async def test_an_identity_of_another_user_is_refused(visitor: Visitor, api: Api, provider: IdentityProvider):
    """Nobody who is signed in is moved to another account."""
    await visitor.sign_in()
    bob = await with_password(api, provider, "bob@example.com")
    assert error(await bob.sign_in()) == (409, "user_already_exists")
    assert (await bob.account())["email"] == "bob@example.com"


async def test_two_callbacks_at_once_make_one_user(visitor: Visitor, api: Api, pool: Pool):
    """Of two first sign-ins by one identity the second finds what the first has made, address or not."""
    visitor.provider.user["email"] = None
    visitors = [Visitor(api, visitor.provider) for _ in range(4)]
    callbacks = [await visitor.go() for visitor in visitors]
    answers = await asyncio.gather(*(visitor.come_back(url) for visitor, url in zip(visitors, callbacks, strict=True)))
    assert {answer.headers["Location"] for answer in answers} == {HOME}
    assert (await pool.fetchrow("select count(*) from users"))[0] == 1
    assert (await pool.fetchrow("select count(*) from identities"))[0] == 1


async def test_two_factors_at_the_provider(visitor: Visitor, api: Api, pool: Pool):
    """A second factor is asked for unless the project trusts its providers, or the provider says that it saw two."""
    await visitor.sign_in()
    await pool.execute("update users set mfa = true, password_hash = 'x'")

    async def gated() -> bool:
        again = Visitor(api, visitor.provider)
        await again.sign_in()
        answer = await again.call("GET", "/v1/account")
        return answer.data.get("type") == "user_more_factors_required"

    assert await gated()
    visitor.provider.user["amr"] = ["pwd", "mfa"]
    assert not await gated()
    visitor.provider.user["amr"] = ["hwk"]
    assert await gated()
    visitor.provider.user["amr"] = ["hwk", "user"]
    assert not await gated()
    visitor.provider.user["amr"] = None
    await change_project(api, provider_mfa="trust")
    assert not await gated()


async def test_an_account_without_another_factor_is_not_shut(visitor: Visitor, pool: Pool):
    """The provider's account is the mailbox's: a user who has nothing else is not asked for it twice."""
    await visitor.sign_in()
    await pool.execute("update users set mfa = true")
    assert (await visitor.call("GET", "/v1/account")).status == 200


async def listed(visitor: Visitor, *queries: dict[str, Any]) -> tuple[int, list[str]]:
    rest = "&".join(f"queries[]={json.dumps(query)}" for query in queries)
    answer = await visitor.call("GET", f"{IDENTITIES}?{rest}")
    assert answer.status == 200, answer.data
    return answer.data["total"], [each["providerUid"] for each in answer.data["identities"]]


async def three(visitor: Visitor) -> None:
    """Link three identities, user-1 to user-3."""
    for number in (1, 2, 3):
        visitor.provider.user |= {"sub": f"user-{number}"}
        assert (await visitor.sign_in()).headers["Location"] == HOME


async def test_identities_are_listed_and_filtered(visitor: Visitor, api: Api):
    """All fields that the model names can narrow the list; cursors and limits page through it."""
    await three(visitor)
    assert await listed(visitor) == (3, ["user-1", "user-2", "user-3"])
    by_uid = {"method": "equal", "attribute": "providerUid", "values": ["user-2"]}
    assert await listed(visitor, by_uid) == (1, ["user-2"])
    assert await listed(visitor, {"method": "equal", "attribute": "provider", "values": ["google"]}) == (0, [])
    by_email = {"method": "equal", "attribute": "providerEmail", "values": ["Ann@example.com"]}
    assert (await listed(visitor, by_email))[0] == 3
    assert (await listed(visitor, {"method": "equal", "attribute": "userId", "values": ["nobody"]}))[0] == 0
    soon = {"method": "lessThan", "attribute": "providerAccessTokenExpiry", "values": ["2030-01-01"]}
    assert (await listed(visitor, soon))[0] == 0
    assert await listed(visitor, {"method": "limit", "values": [1]}, {"method": "offset", "values": [1]}) == (
        3,
        ["user-2"],
    )
    one = {"method": "limit", "values": [1]}
    rows = (await visitor.call("GET", IDENTITIES)).data["identities"]
    after = {"method": "cursorAfter", "values": [rows[0]["$id"]]}
    assert await listed(visitor, after) == (3, ["user-2", "user-3"])
    before = {"method": "cursorBefore", "values": [rows[2]["$id"]]}
    assert await listed(visitor, before, one) == (3, ["user-2"])
    assert await listed(visitor, {"method": "orderDesc", "attribute": "$createdAt"}) == (
        3,
        ["user-3", "user-2", "user-1"],
    )


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"method": "equal", "attribute": "providerAccessToken", "values": ["x"]}, "general_query_invalid"),
        ({"method": "equal", "attribute": "provider", "values": [1]}, "general_query_invalid"),
        ({"method": "cursorAfter", "values": ["nobody"]}, "general_cursor_not_found"),
        ({"method": "orderAsc", "attribute": "provider"}, "general_query_invalid"),
    ],
)
async def test_other_queries_are_refused(visitor: Visitor, query: dict, kind: str):
    """A token is nothing to search for; a foreign cursor is unknown."""
    await visitor.sign_in()
    answer = await visitor.call("GET", f"{IDENTITIES}?queries[]={json.dumps(query)}")
    assert (answer.status, answer.data["type"]) == (400, kind)


async def test_an_identity_is_removed(visitor: Visitor, api: Api, pool: Pool):
    """A member removes one of several: its sessions go on, the owner is told, and the undo brings it back."""
    await three(visitor)
    rows = (await visitor.call("GET", IDENTITIES)).data["identities"]
    assert (await visitor.call("DELETE", f"{IDENTITIES}/{rows[0]['$id']}")).status == 204
    assert await listed(visitor) == (2, ["user-2", "user-3"])
    assert (await visitor.call("DELETE", f"{IDENTITIES}/{rows[0]['$id']}")).data["type"] == "user_identity_not_found"
    changes = await pool.fetch("select facts ->> 'change' from mails where letter = 'security_changed' order by id")
    assert changes[-1][0] == "identity_removed"
    visitor.provider.user |= {"sub": "user-1", "email": None}
    other = Visitor(api, visitor.provider)
    await other.sign_in()
    assert (await other.account())["email"] == ""


async def test_the_last_way_in_stays(visitor: Visitor, pool: Pool):
    """Without password and proved address the only identity can't be removed by its user."""
    visitor.provider.user["email"] = None
    await visitor.sign_in()
    (identity,) = (await visitor.call("GET", IDENTITIES)).data["identities"]
    answer = await visitor.call("DELETE", f"{IDENTITIES}/{identity['$id']}")
    assert (answer.status, answer.data["type"]) == (400, "general_bad_request")


async def test_removal_needs_a_recent_sign_in(visitor: Visitor, pool: Pool):
    """A session that was left open does not take the owner's way in."""
    await visitor.sign_in()
    (identity,) = (await visitor.call("GET", IDENTITIES)).data["identities"]
    await pool.execute("update sessions set created_at = now() - interval '11 minutes'")
    answer = await visitor.call("DELETE", f"{IDENTITIES}/{identity['$id']}")
    assert (answer.status, answer.data["type"]) == (401, "user_reauthentication_required")


async def test_operators_see_and_remove_all(visitor: Visitor, api: Api, pool: Pool):
    """A server with a key lists the identities of all users, searches them, and removes even the last way in."""
    visitor.provider.user["email"] = None
    await visitor.sign_in()
    visitor.provider.user["sub"] = "user-2"
    await Visitor(api, visitor.provider).sign_in()
    secret = await projects.create_api_key(pool, "shop", key_id="srv", name="", scopes=["users.read", "users.write"])
    key = {"X-Appwrite-Key": secret}
    found = await api.call("GET", "/v1/users/identities", modern=True, headers=key)
    assert found.data["total"] == 2
    found = await api.call("GET", "/v1/users/identities?search=SER-2", modern=True, headers=key)
    (identity,) = found.data["identities"]
    path = f"/v1/users/identities/{identity['$id']}"
    assert (await api.call("DELETE", path, modern=True, headers=key)).status == 204
    gone = await api.call("DELETE", path, modern=True, headers=key)
    assert (gone.status, gone.data["type"]) == (404, "user_identity_not_found")


async def test_a_search_among_too_many_is_refused(api: Api, pool: Pool):
    """With more than 5,000 identities a filter without an index is a clear 400; one by ids or users works on."""
    await users.create(pool, "shop", user_id="ann", email=None, name="", password_hash=None)
    await pool.execute(
        "insert into identities (project_id, user_id, id, provider, issuer, subject)"
        " select 'shop', 'ann', n, 'oidc', '', n from generate_series(1, 5001) n"
    )
    secret = await projects.create_api_key(pool, "shop", key_id="srv", name="", scopes=["users.read"])

    async def ask(query: str) -> Any:
        path = f"/v1/users/identities?{query}"
        return await api.call("GET", path, modern=True, headers={"X-Appwrite-Key": secret})

    for query in ("search=4711", 'queries[]=equal("providerUid", ["4711"])'):
        answer = await ask(query)
        assert (answer.status, answer.data["type"]) == (400, "general_query_invalid")
    found = await ask('queries[]=equal("$id", ["4711"])&search=47')
    assert [row["$id"] for row in found.data["identities"]] == ["4711"]


@pytest.fixture
async def member(visitor: Visitor, api: Api) -> Visitor:
    """A member of a project that shows the tokens of providers."""
    await change_project(api, provider_tokens=True)
    await visitor.sign_in()
    return visitor


async def update(visitor: Visitor) -> Any:
    return await visitor.call("PATCH", "/v1/account/sessions/current")


async def test_an_extended_session_has_new_tokens(member: Visitor):
    """The refresh token is exchanged, once, and the identity has the new ones too."""
    before = (await member.call("GET", "/v1/account/sessions/current")).data
    after = (await update(member)).data
    assert after["providerAccessToken"] not in ("", before["providerAccessToken"])
    assert after["providerRefreshToken"] not in ("", before["providerRefreshToken"])
    (identity,) = (await member.call("GET", IDENTITIES)).data["identities"]
    assert identity["providerAccessToken"] == after["providerAccessToken"]
    assert (await update(member)).status == 200


async def test_two_extensions_exchange_the_token_once(member: Visitor):
    """A refresh token works once, so no two calls exchange the same one, and none fails."""
    answers = await asyncio.gather(*(update(member) for _ in range(4)))
    assert [answer.status for answer in answers] == [200] * 4
    used = [form["refresh_token"] for form in member.provider.token_requests if "refresh_token" in form]
    assert used
    assert len(used) == len(set(used))


async def test_a_refused_refresh_token_is_forgotten(member: Visitor, pool: Pool):
    """A provider that takes it no more: the session isn't extended, and shows no tokens."""
    member.provider.answers["/token"] = hostile_provider.says({"error": "invalid_grant"}, 400)
    expires = await pool.fetchrow("select expires_at from sessions")
    answer = await update(member)
    assert (answer.status, answer.data["type"]) == (424, "user_oauth2_provider_error")
    assert await pool.fetchrow("select expires_at from sessions") == expires
    session = (await member.call("GET", "/v1/account/sessions/current")).data
    assert session["providerAccessToken"] == session["providerRefreshToken"] == ""
    assert (await update(member)).status == 200


async def test_a_provider_that_is_away_changes_nothing(member: Visitor):
    """Without an answer the call can be repeated: tokens and session stay as they were."""
    before = (await member.call("GET", "/v1/account/sessions/current")).data
    member.provider.answers["/token"] = hostile_provider.drops
    assert (await update(member)).status == 503
    assert (await member.call("GET", "/v1/account/sessions/current")).data == before
    del member.provider.answers["/token"]
    assert (await update(member)).status == 200


async def test_a_silent_provider_holds_no_refresh_token(member: Visitor):
    """The call ends in the time of a request, and the next one may exchange the token at once."""
    member.provider.answers["/token"] = hostile_provider.silent
    assert (await update(member)).status == 503
    member.provider.answers.clear()
    before = (await member.call("GET", "/v1/account/sessions/current")).data
    after = await update(member)
    assert after.status == 200
    assert after.data["providerAccessToken"] != before["providerAccessToken"]


async def test_tokens_are_shown_no_more_once_the_project_is_switched_off(member: Visitor, api: Api, pool: Pool):
    """From then on nobody sees them and no provider is asked, though the worker hasn't deleted them yet."""
    await change_project(api, provider_tokens=False)
    asked = len(member.provider.calls)
    session = (await member.call("GET", "/v1/account/sessions/current")).data
    assert session["providerAccessToken"] == session["providerRefreshToken"] == ""
    assert session["providerAccessTokenExpiry"] == ""
    (identity,) = (await member.call("GET", IDENTITIES)).data["identities"]
    assert identity["providerAccessToken"] == identity["providerRefreshToken"] == ""
    assert (await update(member)).status == 200
    assert len(member.provider.calls) == asked
    assert (await pool.fetchrow("select kid is not null from identities"))[0]


async def test_other_sessions_ask_no_provider(api: Api, provider: IdentityProvider):
    """A session by password is just extended."""
    await change_project(api, provider_tokens=True)
    bob = await with_password(api, provider, "bob@example.com")
    assert (await update(bob)).status == 200
    assert provider.calls == []
