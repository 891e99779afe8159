"""Links to pages of the service carry the project and a short secret, which names its user by itself."""

from typing import Any

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import token_secrets, tokens
from service.store.tokens import Kind, Token
from testkit import hosted_pages
from testkit.api import Api, cookie_of
from testkit.forms import Page
from testkit.hosted_pages import open_link

PAGES = {
    Kind.RECOVERY: "/auth/recovery",
    Kind.VERIFICATION: "/auth/verification",
    Kind.MAGIC_URL: "/auth/magic-url",
    Kind.ACCOUNT_UNDO: "/auth/disavowal",
    Kind.EMAIL_UNDO: "/auth/email-undo",
}
GONE = "This link is no longer valid"
each_page = pytest.mark.parametrize("kind", list(PAGES))


async def issue(pool: Pool, settings: Settings, kind: Kind, user_id: str, *, seconds: int = 600) -> Token:
    owner: dict[str, Any] = {"user_id": user_id, "email_version": 1}
    asked: dict[str, Any] = {"requested_user_id": user_id}
    return await tokens.issue(
        pool, "shop", kind=kind, email="ann@example.com", kid=next(iter(settings.key_ring)), seconds=seconds,
        **(asked if kind is Kind.MAGIC_URL else owner),
    )  # fmt: skip


async def visit(api: Api, kind: Kind, **query: str) -> Any:
    return await open_link(api, PAGES[kind], query={"project": "shop", **query})


async def press(api: Api, page: Page) -> Any:
    """Press the button; the page of a recovery has a field for the password, too."""
    return await hosted_pages.press(api, page, typed={"password": "a new horse"})


@each_page
async def test_a_short_link_opens_its_page_and_works_once(api: Api, pool: Pool, settings: Settings, kind: Kind):
    """The page asks without a query for the token; its button acts, once."""
    user = await api.sign_up()
    token = await issue(pool, settings, kind, user["$id"])
    secret = token_secrets.secret_of(settings.key_ring, token, form="short")
    for _ in range(20):
        asked = await visit(api, kind, secret=secret)
    assert asked.status == 200
    assert Page(asked.data).fields.items() >= {"secret": secret}.items()
    assert "userId" not in Page(asked.data).fields
    assert (await pool.fetchrow("select attempts from tokens"))[0] == 0
    answer = await press(api, Page(asked.data))
    assert answer.status == 200, answer.data
    again = await press(api, Page(asked.data))
    assert (again.status, Page(again.data).heading) == (401, GONE)


@each_page
@pytest.mark.parametrize("form", ["long", "short"])
async def test_a_link_of_either_form_dies_at_its_end(api: Api, pool: Pool, settings: Settings, kind: Kind, form: Any):
    """Links of the release before open until they expire, and no form lives longer than its token."""
    user = await api.sign_up()
    token = await issue(pool, settings, kind, user["$id"])
    proof = {"secret": token_secrets.secret_of(settings.key_ring, token, form=form)}
    page = Page((await visit(api, kind, **proof, **({} if form == "short" else {"userId": user["$id"]}))).data)
    await pool.execute("update tokens set expires_at = now()")
    late = await press(api, page)
    assert (late.status, Page(late.data).heading) == (401, GONE)
    await pool.execute("update tokens set expires_at = now() + interval '1 minute', attempts = 0")
    assert (await press(api, page)).status == 200


@each_page
@pytest.mark.parametrize("secret", ["f" * 256, "A" * 35, "A" * 37, "short"])
async def test_any_other_secret_needs_its_user(api: Api, kind: Kind, secret: str):
    """Without a user's id only a short secret is a whole link."""
    asked = await visit(api, kind, secret=secret)
    assert (asked.status, Page(asked.data).heading) == (400, "This link is incomplete")


async def test_the_api_still_needs_the_user(api: Api, pool: Pool, settings: Settings):
    """PUT takes a short secret as any other, with `userId` as the contract has it."""
    user = await api.sign_up()
    token = await issue(pool, settings, Kind.VERIFICATION, user["$id"])
    secret = token_secrets.secret_of(settings.key_ring, token, form="short")
    alone = await api.call("PUT", "/v1/account/verification", json={"secret": secret}, modern=True)
    assert (alone.status, alone.data["message"]) == (400, 'Param "userId" is not optional.')
    whole = await api.call(
        "PUT", "/v1/account/verification", json={"userId": user["$id"], "secret": secret}, modern=True
    )
    assert whole.status == 200


async def test_guesses_at_a_short_link_are_limited(api: Api):
    """Ten guesses an hour at a link that names no user; the eleventh is told to wait."""
    page = Page((await visit(api, Kind.MAGIC_URL, secret="A" * 36)).data)
    page.form, page.fields = "/auth/magic-url?project=shop", {"secret": "A" * 36}
    for _ in range(10):
        assert (await press(api, page)).status == 401
    assert (await press(api, page)).status == 429
    page.fields["secret"] = "B" * 36
    assert (await press(api, page)).status == 401


async def test_a_short_magic_url_signs_its_reader_in(api: Api, pool: Pool, settings: Settings):
    """The session is of the address that the link was mailed to."""
    user = await api.sign_up()
    token = await issue(pool, settings, Kind.MAGIC_URL, "asked")
    secret = token_secrets.secret_of(settings.key_ring, token, form="short")
    answer = await press(api, Page((await visit(api, Kind.MAGIC_URL, secret=secret)).data))
    account = await api.call("GET", "/v1/account", headers={"Cookie": cookie_of(answer)})
    assert account.data["$id"] == user["$id"]
