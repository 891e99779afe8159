"""The page that takes a mailed code."""

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import token_secrets, tokens
from service.store.tokens import Kind
from testkit.api import Api, cookie_of
from testkit.forms import Page
from testkit.hosted_pages import open_link, press

ANN = "ann@example.com"
ENTER = "Enter your code"


async def mailed(pool: Pool, settings: Settings) -> str:
    """A code for ann that was asked for as `wanted`."""
    token = await tokens.issue(
        pool, "shop", kind=Kind.OTP, email=ANN, kid="test", seconds=600, requested_user_id="wanted"
    )
    return token_secrets.secret_of(settings.key_ring, token)


async def form(api: Api) -> Page:
    answer = await open_link(api, "/auth/code?project=shop&userId=wanted")
    assert (answer.status, Page(answer.data).heading) == (200, ENTER)
    return Page(answer.data)


@pytest.mark.parametrize("written", ["{0}{1}", " {0} {1} ", "{0}\u00a0{1}"])
async def test_a_code_signs_in(api: Api, pool: Pool, settings: Settings, written: str):
    """As it was mailed, or in two groups as the letter shows it; once."""
    code = await mailed(pool, settings)
    page = await form(api)
    typed = {"secret": written.format(code[:3], code[3:])}
    done = await press(api, page, typed=typed)
    assert (done.status, Page(done.data).heading) == (200, "You are signed in")
    account = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(done)})
    assert (account.data["email"], account.data["emailVerification"]) == (ANN, True)
    again = await press(api, page, typed=typed)
    assert (again.status, Page(again.data).heading) == (401, ENTER)
    assert "Set-Cookie" not in again.headers


async def test_a_wrong_code_is_asked_for_again(api: Api, pool: Pool, settings: Settings):
    """The reason stands at the field, and a new code can be asked for. Junk, too, is a guess."""
    code = await mailed(pool, settings)
    page = await form(api)
    for wrong in (f"{(int(code) + 1) % 10**6:06}", "12345", "1234567", "", "abcdef"):
        answer = await press(api, page, typed={"secret": wrong})
        assert (answer.status, Page(answer.data).heading) == (401, ENTER)
        assert "This code is wrong or no longer valid." in answer.data
        assert 'aria-describedby="fault"' in answer.data
        assert '<a href="/auth/code/new?project=shop">' in answer.data
        assert Page(answer.data).fields == {"userId": "wanted", "secret": ""}
    assert (await press(api, page, typed={"secret": code})).status == 200


async def test_guesses_count_with_those_of_the_api(api: Api):
    """Ten an hour for a user id, on the page and at the route together."""
    page, body = await form(api), {"userId": "wanted", "secret": "000000"}
    for _ in range(5):
        assert (await api.call("POST", "/v1/account/sessions/token", json=body)).status == 401
        assert (await press(api, page, typed={"secret": "000000"})).status == 401
    answer = await press(api, page, typed={"secret": "000000"})
    assert (answer.status, Page(answer.data).heading) == (429, "Too many tries")


async def test_phones_offer_the_code(api: Api):
    """The field is for a one-time code, typed in digits."""
    attributes = (await form(api)).attributes
    assert ("autocomplete", "one-time-code") in attributes
    assert ("inputmode", "numeric") in attributes


async def test_without_a_user_id_an_address_is_asked_for(api: Api):
    """The bare address leads to the form that sends a code."""
    answer = await api.call("GET", "/auth/code?project=shop", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/auth/code/new?project=shop")
    bad = await open_link(api, "/auth/code?project=shop&userId=" + "a" * 37)
    assert (bad.status, Page(bad.data).heading) == (400, "This link is incomplete")


async def test_a_blocked_account_is_not_signed_in(api: Api, pool: Pool, settings: Settings):
    """A right code says so to the mailbox's reader, and opens nothing."""
    await api.sign_up()
    await pool.execute("update users set status = 'blocked', email_verified = true")
    answer = await press(api, await form(api), typed={"secret": await mailed(pool, settings)})
    assert (answer.status, Page(answer.data).heading) == (401, "This account is blocked")
    assert "Set-Cookie" not in answer.headers
