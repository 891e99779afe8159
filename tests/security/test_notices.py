"""An owner gets a notice of changes to the account, and can undo them."""

import email
import email.policy
import re
from urllib.parse import parse_qsl, urlsplit

from service.db import Pool
from service.settings import Settings
from service.store import projects, token_secrets
from service.store.tokens import Kind, Token
from testkit.api import Api, cookie_of
from testkit.api_keys import key
from testkit.forms import Page
from testkit.hosted_pages import follow_link, open_link, press
from testkit.outbox import claim as claim_mail
from tests.security.test_known_device import mark_of
from worker.mail import compose

ANN, EVE, PASSWORD = "ann@example.com", "eve@evil.example", "correct horse"
GONE, DONE = "This link is no longer valid", "Your account is secured"
_TOKEN = "project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at"


async def proved(api: Api, pool: Pool, email: str = ANN) -> dict[str, str]:
    """An account whose address is its own; the header that makes a request its member's."""
    await api.sign_up(email)
    await pool.execute("update users set email_verified = true where email = $1", email)
    return await api.sign_in(email)


async def change_password(api: Api, member: dict[str, str], old: str = PASSWORD, new: str = "eves own horse") -> None:
    body = {"password": new, "oldPassword": old}
    assert (await api.call("PATCH", "/v1/account/password", json=body, headers=member)).status == 200


async def change_email(api: Api, member: dict[str, str], email: str = EVE, password: str = PASSWORD) -> None:
    body = {"email": email, "password": password}
    assert (await api.call("PATCH", "/v1/account/email", json=body, headers=member)).status == 200


async def posted(pool: Pool) -> list[tuple[str, str, bool]]:
    """Letter, recipient, and whether it has a link; in order."""
    rows = await pool.fetch("select letter, recipient, token_id is not null from mails order by created_at, id")
    return [tuple(row) for row in rows]


async def link(pool: Pool, settings: Settings, kind: Kind, email: str = ANN) -> str:
    """The link in the newest letter of that kind."""
    row = await pool.fetchrow(
        f"select {_TOKEN} from tokens where kind = $1 and email = $2 order by created_at desc, id desc limit 1",
        kind.value, email,
    )  # fmt: skip
    assert row, f"no {kind}"
    token = Token(*row)
    page = {Kind.ACCOUNT_UNDO: "disavowal", Kind.EMAIL_UNDO: "email-undo"}[kind]
    secret = token_secrets.secret_of(settings.key_ring, token)
    return f"/auth/{page}?project=shop&userId={token.user_id}&secret={secret}&expire=1"


async def test_a_new_password_is_told(api: Api, pool: Pool):
    """By its change and by a recovery: a letter with a link, in the act's own transaction."""
    await change_password(api, await proved(api, pool))
    assert await posted(pool) == [("password_changed", ANN, True)]


async def test_a_refused_change_tells_nothing(api: Api, pool: Pool):
    """A change that is refused sends no notice."""
    member = await proved(api, pool)
    body = {"password": "eves own horse", "oldPassword": "wrong horse"}
    assert (await api.call("PATCH", "/v1/account/password", json=body, headers=member)).status == 401
    assert await posted(pool) == []


async def test_a_new_address_is_told_to_the_old_one(api: Api, pool: Pool):
    """The old address can undo it, the new one is asked for its proof."""
    await change_email(api, await proved(api, pool))
    assert sorted(await posted(pool)) == [("email_changed", ANN, True), ("verification", EVE, True)]


async def test_an_unproved_address_gets_no_way_in(api: Api, pool: Pool):
    """A mistyped address may be a stranger's: it is told, and gets no link that would make the account theirs."""
    await api.sign_up()
    member = await api.sign_in()
    await change_password(api, member)
    await change_email(api, member, "anne@example.com", "eves own horse")
    told = [("password_changed", ANN, False), ("email_changed", ANN, False)]
    assert [mail for mail in await posted(pool) if mail[0] != "verification"] == told
    assert await pool.fetch("select 1 from tokens where kind in ('disavowal', 'email_undo')") == []


async def test_a_disavowal_ends_all_that_somebody_else_began(api: Api, pool: Pool, settings: Settings):
    """Sessions end, the password is void, open links die; the owner chooses a new one by a recovery. It works once."""
    member = await proved(api, pool)
    await change_password(api, member)
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    await api.call("POST", "/v1/account/recovery", json={"email": ANN, "url": "http://localhost/reset"})
    answer = await follow_link(api, address)
    assert (answer.status, Page(answer.data).heading) == (200, DONE)
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
    login = {"email": ANN, "password": "eves own horse"}
    assert (await api.call("POST", "/v1/account/sessions", json=login)).status == 401
    assert await lives(pool) == ["recovery"], "the page's own"
    assert (await pool.fetchrow("select email from users"))[0] == ANN
    assert (await pool.fetchrow("select name from events order by at desc limit 1"))[0] == "account.disavowal"
    assert Page((await follow_link(api, address)).data).heading == GONE
    page = Page(answer.data)
    assert page.form == "/auth/recovery?project=shop"
    done = await press(api, page, typed={"password": "anns new horse"})
    assert (done.status, Page(done.data).heading) == (200, "Your password is changed")
    login = {"email": ANN, "password": "anns new horse"}
    assert (await api.call("POST", "/v1/account/sessions", json=login)).status == 201
    assert Page((await press(api, page, typed={"password": "eves last horse"})).data).heading == GONE


async def lives(pool: Pool) -> list[str]:
    """The kinds of all tokens that there are."""
    return [row[0] for row in await pool.fetch("select kind from tokens order by kind")]


async def test_looking_at_the_link_does_nothing(api: Api, pool: Pool, settings: Settings):
    """Mail scanners open links: only the button acts (S21)."""
    member = await proved(api, pool)
    await change_email(api, member)
    address = await link(pool, settings, Kind.EMAIL_UNDO)
    for _ in range(20):
        assert (await open_link(api, address)).status == 200
    assert (await api.call("GET", "/v1/account", headers=member)).data["email"] == EVE


async def test_a_stolen_address_comes_back(api: Api, pool: Pool, settings: Settings):
    """The notice's link gives the address back whatever the thief did since, and ends sessions, password and links."""
    member = await proved(api, pool)
    await change_email(api, member)
    address = await link(pool, settings, Kind.EMAIL_UNDO)
    await pool.execute("update users set email_verified = true")  # the thief proves the new address
    await change_email(api, member, "eve2@evil.example")
    await change_password(api, member)
    theirs = await link(pool, settings, Kind.EMAIL_UNDO, EVE)
    await api.call("POST", "/v1/account/recovery", json={"email": "eve2@evil.example", "url": "http://localhost/reset"})
    answer = await follow_link(api, address)
    assert (answer.status, Page(answer.data).heading) == (200, DONE)
    row = await pool.fetchrow("select email, email_verified, password_hash from users")
    assert row
    assert tuple(row) == (ANN, True, None)
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
    assert Page((await follow_link(api, theirs)).data).heading == GONE, "the thief's own notice undoes nothing"
    left = await pool.fetch("select kind, email from tokens order by email")
    assert [tuple(row) for row in left] == [
        ("recovery", ANN),  # the page's own
        ("recovery", "eve2@evil.example"),  # nobody has proved that address
    ]


async def test_nobody_gets_an_address_that_may_come_back(api: Api, pool: Pool, settings: Settings):
    """While its former owner can still undo the change, the address is not to be had: the way back stays open."""
    member = await proved(api, pool)
    await change_email(api, member)
    taken = await api.call("POST", "/v1/account", json={"email": ANN, "password": PASSWORD})
    assert taken.status == 409
    other = await proved(api, pool, "bob@example.com")
    body = {"email": ANN, "password": PASSWORD}
    assert (await api.call("PATCH", "/v1/account/email", json=body, headers=other)).status == 400
    assert (await follow_link(api, await link(pool, settings, Kind.EMAIL_UNDO))).status == 200
    assert (await pool.fetchrow("select count(*) from users where email = $1", ANN))[0] == 1


async def test_its_own_account_may_have_it_again_at_once(api: Api, pool: Pool):
    """An owner who changed the address can change it back at once."""
    member = await proved(api, pool)
    await change_email(api, member)
    await change_email(api, member, ANN)


async def test_an_address_that_was_proved_meanwhile_stays(api: Api, pool: Pool, settings: Settings):
    """A mailbox's reader who has begun anew by a mailed link keeps the address.

    The account that was taken over has none then: nobody gets into it by a recovery, the thief least of all.
    """
    member = await proved(api, pool)
    await change_email(api, member)
    await pool.execute("insert into users (project_id, id, email, email_verified) values ('shop', 'u2', $1, true)", ANN)
    answer = await follow_link(api, await link(pool, settings, Kind.EMAIL_UNDO))
    assert (answer.status, Page(answer.data).heading) == (200, DONE)
    assert "old e-mail address" not in answer.data
    row = await pool.fetchrow("select email, email_verified, password_hash from users where id <> 'u2'")
    assert row
    assert tuple(row) == (None, False, None)
    assert (await pool.fetchrow("select email from users where id = 'u2'"))[0] == ANN


async def test_the_thiefs_own_letter_ends_no_earlier_one(api: Api, pool: Pool, settings: Settings):
    """The thief who proved a stolen account's new address gets letters too: using one leaves the owner's undo link."""
    member = await proved(api, pool)
    await change_email(api, member)
    address = await link(pool, settings, Kind.EMAIL_UNDO)
    await pool.execute("update users set email_verified = true")  # the thief proves the new address
    await change_password(api, member)
    assert Page((await follow_link(api, await link(pool, settings, Kind.ACCOUNT_UNDO, EVE))).data).heading == DONE
    assert Page((await follow_link(api, address)).data).heading == DONE
    row = await pool.fetchrow("select email, email_verified, password_hash from users")
    assert row
    assert tuple(row) == (ANN, True, None)


async def test_whichever_letter_is_opened_first_is_enough(api: Api, pool: Pool, settings: Settings):
    """A thief changes the password, then the address: the link about the password puts the address back as well.

    Else it would end the later link, and leave the account with the thief's address, to which a recovery can be sent.
    """
    member = await proved(api, pool)
    await change_password(api, member)
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    await change_email(api, member, password="eves own horse")
    await pool.execute("update users set email_verified = true")
    answer = await follow_link(api, address)
    assert Page(answer.data).heading == DONE
    assert "old e-mail address" in answer.data
    row = await pool.fetchrow("select email, email_verified, password_hash from users")
    assert row
    assert tuple(row) == (ANN, True, None)
    assert await lives(pool) == ["recovery"]


async def test_who_loses_an_address_again_is_told(api: Api, pool: Pool, settings: Settings):
    """A proved address that an undone change takes from the account is told, without a link; an unproved one is not."""
    for verified in (True, False):
        await pool.execute("delete from mails")
        await pool.execute("delete from users")
        await change_email(api, await proved(api, pool))
        await pool.execute("update users set email_verified = $1", verified)
        await follow_link(api, await link(pool, settings, Kind.EMAIL_UNDO))
        told = [mail for mail in await posted(pool) if mail[1] == EVE and mail[0] != "verification"]
        assert told == [("email_changed", EVE, False)] * verified


async def test_a_link_is_for_its_own_act(api: Api, pool: Pool, settings: Settings):
    """A notice of a password puts no address back, and neither link opens any other route."""
    member = await proved(api, pool)
    await change_password(api, member)
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    crossed = address.replace("/auth/disavowal", "/auth/email-undo")
    assert Page((await open_link(api, crossed)).data).heading == GONE
    page = Page((await open_link(api, address)).data)
    page.form = "/auth/email-undo?project=shop"
    assert Page((await press(api, page)).data).heading == GONE
    proof = dict(parse_qsl(urlsplit(address).query))
    body = {"userId": proof["userId"], "secret": proof["secret"], "password": "x" * 9, "passwordAgain": "x" * 9}
    for method, path in (
        ("PUT", "/v1/account/recovery"), ("PUT", "/v1/account/verification"),
        ("PUT", "/v1/account/sessions/magic-url"), ("POST", "/v1/account/sessions/token"),
    ):  # fmt: skip
        assert (await api.call(method, path, json=body)).status == 401


async def test_a_blocked_account_stays_blocked(api: Api, pool: Pool, settings: Settings):
    """An account blocked by an operator, or by the thief who deleted it, only operators unblock; the link is kept."""
    member = await proved(api, pool)
    await change_password(api, member)
    await api.call("DELETE", "/v1/account", headers=member, json={})
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    for _ in range(7):
        assert Page((await follow_link(api, address)).data).heading == "This account is blocked"
    await pool.execute("update users set status = 'active'")
    assert (await follow_link(api, address)).status == 200


async def test_the_link_ends_after_three_days(api: Api, pool: Pool, settings: Settings):
    """A notice's link ends after three days."""
    await change_password(api, await proved(api, pool))
    row = await pool.fetchrow("select extract(epoch from expires_at - created_at) from tokens")
    assert row
    assert row[0] == 72 * 3600
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    await pool.execute("update tokens set expires_at = now() - interval '1 second'")
    assert Page((await follow_link(api, address)).data).heading == GONE


async def test_a_new_device_is_told_where_the_project_wants_it(api: Api, pool: Pool, settings: Settings):
    """A password used on a device without a mark is told; on a known one, or where nobody switched it on, it is not."""
    await projects.change(pool, "shop", notify_new_device=True)
    await api.sign_up()
    login = {"email": ANN, "password": PASSWORD}
    await api.call("POST", "/v1/account/sessions", json=login)
    assert await posted(pool) == [], "an unproved address is not told of sign-ins"
    await pool.execute("update users set email_verified = true")
    first = await api.call("POST", "/v1/account/sessions", json=login)
    again = await api.call("POST", "/v1/account/sessions", json=login, headers={"Cookie": mark_of(first)})
    assert (first.status, again.status) == (201, 201)
    assert await posted(pool) == [("new_device", ANN, True)]
    answer = await follow_link(api, await link(pool, settings, Kind.ACCOUNT_UNDO))
    assert Page(answer.data).heading == DONE
    assert (await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(again)})).status == 401


async def test_new_devices_have_a_budget_of_their_own(api: Api, pool: Pool):
    """Five such letters an hour: a client that keeps no cookie does not fill its owner's mailbox."""
    await projects.change(pool, "shop", notify_new_device=True)
    await api.sign_up()
    await pool.execute("update users set email_verified = true")
    for _ in range(7):
        await api.sign_in()
    assert len(await posted(pool)) == 5


async def test_an_operators_word_is_the_last(api: Api, pool: Pool, settings: Settings):
    """After an operator has set address or password, no notice's link turns that back."""
    member = await proved(api, pool)
    await change_email(api, member)
    address = await link(pool, settings, Kind.EMAIL_UNDO)
    server = await key(pool)
    user_id = (await pool.fetchrow("select id from users"))[0]
    body = {"email": "ann.new@example.com"}
    assert (await api.call("PATCH", f"/v1/users/{user_id}/email", json=body, headers=server, modern=True)).status == 200
    assert Page((await follow_link(api, address)).data).heading == GONE


async def test_the_workers_letter_leads_to_the_page(api: Api, pool: Pool, settings: Settings):
    """The link in the letter is the one whose page undoes the act, though the address is no user's any more."""
    await change_email(api, await proved(api, pool))
    (mail,) = await pool.fetch("select id from mails where letter = 'email_changed'")
    claim = await claim_mail(pool, mail[0], worker="w", lease=30)
    assert claim
    token = compose.token_of(claim)
    written = compose.compose(claim, token, settings.key_ring, sender="a@b.test", public_url="http://localhost:8080")
    text = email.message_from_bytes(written, policy=email.policy.default).get_body(("plain",)).get_content()
    (address,) = re.findall(r"http://localhost:8080(/auth/email-undo\?\S+)", text)
    assert "Ann" not in text
    assert (await follow_link(api, address)).status == 200
