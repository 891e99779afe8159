"""Magic links that finish in the browser where they were begun, by the number that it shows."""

import asyncio
import json
import re

import pytest

from service.crypto import key_derivation
from service.db import Pool
from service.settings import Settings
from service.store import projects
from testkit.api import Api, cookie_of, kind
from testkit.first_tab import APPROVAL, ASK, OPEN, WAITS, Asker, ask, enter, mailed_secret, read_mail, wrong
from testkit.forms import Page
from testkit.hosted_pages import open_link, press
from testkit.visitor import change_project
from testkit.waiting import until

ANN, NOBODY = "ann@example.com", "nobody@example.com"
INVALID = (401, "user_invalid_token")


@pytest.fixture(autouse=True)
async def first_tab(api: Api) -> None:
    await change_project(api, magic_links="first-tab")


async def sessions(pool: Pool) -> int:
    return int((await pool.fetchrow("select count(*) from sessions"))[0])


async def test_the_first_tab_signs_in_and_the_link_does_not(api: Api, pool: Pool, settings: Settings):
    """The number approves; then, once, the browser that asked has a session, and nobody where the link was opened."""
    tab = await ask(api, phrase=True, url="http://localhost/welcome")
    assert re.fullmatch("[1-9][0-9]", tab.number)
    assert tab.token["secret"] == ""
    facts = (await pool.fetchrow("select facts from mails"))[0]
    assert (facts["phrase"], facts["url"]) == ("", None), "who reads the mail has to look at the tab"
    assert kind(await tab.open()) == WAITS
    secret = await mailed_secret(pool, settings)
    approved = await enter(api, secret, tab.number)
    assert (approved.status, Page(approved.data).heading) == (200, "The number is right")
    assert [line.partition("=")[0] for line in approved.headers.getall("Set-Cookie")] == ["link_shop"]
    assert await sessions(pool) == 0
    answer = await tab.open()
    assert (answer.status, answer.data["provider"]) == (201, "magic-url")
    names = [line.partition("=")[0] for line in answer.headers.getall("Set-Cookie")]
    assert names == ["first_tab_shop", "known_device_shop", "a_session_shop_legacy", "a_session_shop"]
    assert answer.headers.getall("Set-Cookie")[0].startswith("first_tab_shop=; Path=/; Max-Age=0; HttpOnly")
    account = (await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)}, modern=True)).data
    assert (account["email"], account["emailVerification"], account["$id"]) == (ANN, True, tab.token["userId"])
    assert kind(await tab.open()) == WAITS, "it is used, which nobody is told"
    assert await sessions(pool) == 1


async def test_a_wrong_number_ends_the_link(api: Api, pool: Pool, settings: Settings):
    """The first one does, and the tab waits on. What is no number, a look or a scanner's empty form ends nothing."""
    tab = await ask(api)
    secret = await mailed_secret(pool, settings)
    page = await read_mail(api, secret)
    for typed in ("", "4", "421", "ab", "٤٢", "4\0"):
        answer = await press(api, page, typed={"number": typed})
        assert (answer.status, Page(answer.data).heading) == (400, "Sign in to Shop"), typed
    for method in ("GET", "HEAD"):
        await open_link(api, f"{APPROVAL}?project=shop&secret={secret}", method=method)
    ended = await press(api, page, typed={"number": wrong(tab.number)})
    assert (ended.status, Page(ended.data).heading) == (401, "The number is wrong")
    assert await pool.fetch("select from tokens") == []
    again = await press(api, page, typed={"number": tab.number})
    assert (again.status, Page(again.data).heading) == (401, "This link is no longer valid")
    assert kind(await tab.open()) == WAITS


async def test_one_answer_counts(api: Api, pool: Pool, settings: Settings):
    """Of all numbers entered at once one is taken: nobody can try them all."""
    tab = await ask(api)
    page = await read_mail(api, await mailed_secret(pool, settings))
    numbers = [str(number) for number in range(int(tab.number) - 9, int(tab.number) + 10)]
    answers = await asyncio.gather(*(press(api, page, typed={"number": number}) for number in numbers))
    headings = [Page(answer.data).heading for answer in answers if answer.status in (200, 401)]
    assert sum(heading != "This link is no longer valid" for heading in headings) == 1
    approved = "The number is right" in headings
    assert kind(await tab.open()) == ((201, "") if approved else WAITS)


async def test_the_mailed_secret_opens_nothing_else(api: Api, pool: Pool, settings: Settings):
    """Neither route of a sign-in takes it, nor the page of a link that signs in where it is opened, before or after."""
    tab = await ask(api)
    secret = await mailed_secret(pool, settings)
    body = {"userId": tab.token["userId"], "secret": secret}
    for _ in range(2):
        for method, path in (("PUT", OPEN), ("POST", "/v1/account/sessions/token")):
            assert kind(await api.call(method, path, json=body, modern=True)) == INVALID
        assert (await open_link(api, f"/auth/magic-url?project=shop&secret={secret}")).status == 401
        sent = {"X-Appwrite-Project": None, "Origin": "http://localhost:8080"}
        assert (await api.call("POST", "/auth/magic-url?project=shop", data=body, headers=sent)).status == 401
        assert await sessions(pool) == 0
        if _ == 0:
            assert (await enter(api, secret, tab.number)).status == 200
    assert (await open_link(api, f"{APPROVAL}?project=shop&secret={secret}")).status == 401, "it was used"
    assert kind(await tab.open()) == (201, "")


@pytest.mark.parametrize("route", ["magic-url", "token"])
async def test_only_who_asked_can_open(api: Api, pool: Pool, settings: Settings, route: str):
    """Another browser, another user id, another project, a changed cookie: none opens an approved link."""
    tab, other = await ask(api), await ask(api, NOBODY)
    await enter(api, await mailed_secret(pool, settings), other.number)
    method, path = ("PUT", OPEN) if route == "magic-url" else ("POST", "/v1/account/sessions/token")
    await projects.create(pool, "other", name="Other")

    async def opened(cookie: str, user_id: str = other.token["userId"], project: str = "shop") -> tuple[int, str]:
        body = {"userId": user_id, "secret": "first-tab"}
        headers = {"Cookie": cookie, "X-Appwrite-Project": project}
        return kind(await api.call(method, path, json=body, headers=headers, modern=True))

    name, value = other.cookie.split("=", 1)
    assert await opened(tab.cookie) == INVALID
    assert await opened(other.cookie, tab.token["userId"]) == INVALID
    assert await opened(f"first_tab_other={value}", project="other") == INVALID
    for changed in ("", "x", value[:-4], value.replace("test.", "gone."), value[:-4] + "AAAA", "~" * 5, "test.é"):
        assert await opened(f"{name}={changed}") == INVALID, changed
    assert await opened(other.cookie) == (201, "")


async def test_nobody_learns_who_has_an_account(api: Api, pool: Pool):
    """The answers are alike; a new password ends the link and the tab is not told; when its time is over it is."""
    await api.sign_up(ANN)
    await pool.execute("update users set email_verified = true, proved_by_holder = true")
    known, unknown = await ask(api, ANN), await ask(api, NOBODY)
    assert list(known.token) == list(unknown.token)
    assert len(known.cookie) == len(unknown.cookie)
    member = await api.sign_in(ANN)
    body = {"password": "another horse", "oldPassword": "correct horse"}
    assert (await api.call("PATCH", "/v1/account/password", json=body, headers=member)).status == 200
    assert [row[0] for row in await pool.fetch("select email from tokens where kind = 'first_tab'")] == [NOBODY]
    assert kind(await known.open()) == kind(await unknown.open()) == WAITS
    await change_project(api, magic_url_seconds=1)
    known, unknown = await ask(api, ANN), await ask(api, NOBODY)
    for tab in (known, unknown):
        await until_over(tab)


async def until_over(tab: Asker) -> None:
    async def is_over() -> bool:
        return kind(await tab.open()) == INVALID

    await until(is_over)


async def test_no_account_is_made_where_sign_up_is_closed(api: Api, pool: Pool, settings: Settings):
    """The number is asked for all the same, and the tab gets what a wrong link gets."""
    await change_project(api, sign_up="closed")
    tab = await ask(api, NOBODY)
    assert (await enter(api, await mailed_secret(pool, settings), tab.number)).status == 200
    assert kind(await tab.open()) == INVALID
    assert await pool.fetch("select from users") == []


async def test_a_blocked_user_stays_out(api: Api, pool: Pool, settings: Settings):
    """As by any other link."""
    await api.sign_up(ANN)
    tab = await ask(api, ANN)
    await pool.execute("update users set status = 'blocked', email_verified = true, proved_by_holder = true")
    assert (await enter(api, await mailed_secret(pool, settings), tab.number)).status == 200
    assert kind(await tab.open()) == (403, "user_blocked")
    assert await sessions(pool) == 0


async def test_waiting_is_no_failure_and_has_a_limit(api: Api):
    """Sixty times a minute for a link, beyond the ten failures an hour of the route; then 429 says for how long."""
    tab = await ask(api)
    assert [(await tab.open()).status for _ in range(60)] == [401] * 60
    refused = await tab.open()
    assert refused.status == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert kind(await (await ask(api, NOBODY)).open()) == WAITS


async def test_several_tabs_of_a_browser_wait(api: Api, pool: Pool, settings: Settings):
    """Each for its own link, up to three; a fourth takes the place of the oldest."""
    tabs: list[Asker] = []
    for number in range(4):
        tab = await ask_with(api, f"u{number}@example.com", tabs[-1].cookie if tabs else "")
        tabs.append(tab)
    jar = tabs[-1].cookie
    for tab in tabs:
        tab.cookie = jar
    assert [kind(await tab.open()) for tab in tabs] == [INVALID, WAITS, WAITS, WAITS]
    await enter(api, await mailed_secret(pool, settings), tabs[3].number)
    answer = await tabs[3].open()
    left = answer.headers.getall("Set-Cookie")[0].partition(";")[0]
    tabs[2].cookie = left
    assert kind(await tabs[2].open()) == WAITS


async def ask_with(api: Api, email: str, cookie: str) -> Asker:
    body = {"userId": "unique()", "email": email}
    answer = await api.call("POST", ASK, json=body, headers={"Cookie": cookie} if cookie else {}, modern=True)
    return Asker(api, answer.data, answer.headers["Set-Cookie"].partition(";")[0])


async def test_a_client_without_cookies(api: Api, pool: Pool, settings: Settings):
    """The fallback header carries it, beside a session that the client has; the new session takes its place."""
    session = {"a_session_shop": "c29tZQ=="}
    body = {"userId": "unique()", "email": ANN}
    stored = {"X-Fallback-Cookies": json.dumps(session | {"theme": "dark"})}
    answer = await api.call("POST", ASK, json=body, headers=stored, modern=True)
    kept = json.loads(answer.headers["X-Fallback-Cookies"])
    assert list(kept) == ["a_session_shop", "first_tab_shop"]
    assert kept["a_session_shop"] == session["a_session_shop"]
    tab = Asker(api, answer.data, "", {"X-Fallback-Cookies": json.dumps(kept)})
    assert kind(await tab.open()) == WAITS
    await enter(api, await mailed_secret(pool, settings), tab.number)
    opened = await tab.open()
    assert opened.status == 201
    assert list(json.loads(opened.headers["X-Fallback-Cookies"])) == ["a_session_shop"]


async def test_a_server_asks_for_its_browser(api: Api, pool: Pool, settings: Settings):
    """With a key the answer has the secret instead of a cookie, and that opens the session, whose secret it gets."""
    secret = await projects.create_api_key(pool, "shop", key_id="k", name="ssr", scopes=["sessions.write"])
    key = {"X-Appwrite-Key": secret}
    asked = await api.call("POST", ASK, json={"userId": "unique()", "email": ANN}, headers=key, modern=True)
    assert "Set-Cookie" not in asked.headers
    body = {"userId": asked.data["userId"], "secret": asked.data["secret"]}
    path = "/v1/account/sessions/token"
    assert kind(await api.call("POST", path, json=body, headers=key, modern=True)) == WAITS
    await enter(api, await mailed_secret(pool, settings), asked.data["phrase"])
    opened = await api.call("POST", path, json=body, headers=key, modern=True)
    assert (opened.status, bool(opened.data["secret"])) == (201, True)


async def test_a_legacy_app_is_told_the_number(api: Api):
    """Its token has a phrase then, which it has nowhere else."""
    answer = await api.call("POST", "/v1/account/sessions/magic-url", json={"email": ANN})
    assert re.fullmatch("[1-9][0-9]", answer.data["phrase"])


async def test_our_own_form_waits_on_our_own_page(api: Api, pool: Pool, settings: Settings):
    """It shows the number; its button signs in once the number was entered, and says so before."""
    form = Page((await api.call("GET", "/auth/magic-url/new?project=shop", headers={"X-Appwrite-Project": None})).data)
    sent = await press(api, form, typed={"email": ANN})
    assert sent.status == 303
    cookie = {"Cookie": cookie_of(sent)}
    shown = await api.call("GET", sent.headers["Location"], headers=cookie | {"X-Appwrite-Project": None})
    page = Page(shown.data)
    number = re.findall(r"<bdi>([1-9][0-9])</bdi>", shown.data)[0]
    early = await press(api, page, **cookie)
    assert (early.status, "has not been entered yet" in early.data) == (200, True)
    await enter(api, await mailed_secret(pool, settings), number)
    opened = await press(api, page, **cookie)
    assert (opened.status, Page(opened.data).heading) == (200, "You are signed in")
    assert await sessions(pool) == 1
    without = await api.call("GET", sent.headers["Location"], headers={"X-Appwrite-Project": None})
    assert (without.status, Page(without.data).heading) == (400, "This link is incomplete")


async def test_retired_keys_end_the_wait(api: Api, pool: Pool, settings: Settings):
    """A cookie sealed under a key that is gone is no cookie, and no error."""
    tab = await ask(api)
    kid = key_derivation.current(settings.key_ring)
    tab.cookie = tab.cookie.replace(f"={kid}.", "=retired.")
    assert kind(await tab.open()) == INVALID
