"""The page on which a new password is chosen."""

import re
from typing import Any

import pytest

from service.db import Pool
from service.settings import Settings
from service.store import projects, token_secrets, tokens
from service.store.tokens import Kind
from testkit.api import Api
from testkit.forms import Page
from testkit.hosted_pages import open_link, press

ANN, OLD, NEW = "ann@example.com", "correct horse", "a new password"
CHOOSE, GONE = "Choose a new password", "This link is no longer valid"


async def link(api: Api, pool: Pool, settings: Settings) -> str:
    """The link of a recovery that a worker has given to ann, who has signed up."""
    user_id = (await api.sign_up())["$id"]
    token = await tokens.issue(
        pool, "shop", kind=Kind.RECOVERY, email=ANN, kid="test", seconds=3600, user_id=user_id, email_version=1
    )
    secret = token_secrets.secret_of(settings.key_ring, token)
    return f"/auth/recovery?project=shop&userId={user_id}&email=other%40example.com&secret={secret}&expire=1"


async def login(api: Api, password: str) -> int:
    body = {"email": ANN, "password": password}
    return (await api.call("POST", "/v1/account/sessions", json=body)).status


@pytest.mark.parametrize("modern", [False, True])
async def test_a_recovery_without_a_page(api: Api, pool: Pool, modern: bool):
    """Modern clients may leave `url` out, and the mail then leads to our page; legacy ones must name theirs."""
    answer = await api.call("POST", "/v1/account/recovery", json={"email": ANN}, modern=modern)
    if modern:
        assert answer.status == 201
        (mail,) = await pool.fetch("select facts from mails")
        assert mail[0].get("url") is None
    else:
        assert (answer.status, answer.data["message"]) == (400, 'Param "url" is not optional.')
        assert await pool.fetch("select 1 from mails") == []


async def test_a_new_password_is_chosen(api: Api, pool: Pool, settings: Settings):
    """Looking uses nothing up; the button sets the password, once, and every session ends."""
    address = await link(api, pool, settings)
    member = await api.sign_in()
    for number in range(40):
        asked = await open_link(api, address, method="HEAD" if number % 2 else "GET")
        assert asked.status == 200
    page = Page((await open_link(api, address)).data)
    assert page.heading == CHOOSE
    done = await press(api, page, typed={"password": NEW})
    assert (done.status, Page(done.data).heading) == (200, "Your password is changed")
    assert (await login(api, OLD), await login(api, NEW)) == (401, 201)
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
    again = await press(api, page, typed={"password": "eves password"})
    assert (again.status, Page(again.data).heading) == (401, GONE)
    seen = await open_link(api, address)
    assert (seen.status, Page(seen.data).heading) == (401, GONE), "who opens it again need not type first"


@pytest.mark.parametrize(
    ("password", "why"),
    [("short", "too short"), ("", "too short"), ("p" * 257, "too short or too long"), ("password1", "Too many people"),
     ("my ann@example.com", "contains your name"), (OLD, "used this password before")],
)  # fmt: skip
async def test_a_refused_password_is_asked_for_again(api: Api, pool: Pool, settings: Settings, password: str, why: str):
    """The reason stands at the field, which has the focus; the secret is not used up, and nothing is told back."""
    await projects.change(pool, "shop", password_history=3)
    page = Page((await open_link(api, await link(api, pool, settings))).data)
    refused = await press(api, page, typed={"password": password})
    assert (refused.status, Page(refused.data).heading) == (400, CHOOSE)
    (field,) = re.findall(r'<input id="password"[^>]*>', refused.data)
    assert 'aria-invalid="true"' in field
    assert 'aria-describedby="fault rules"' in field
    assert "autofocus" in field
    assert "value" not in field
    assert why in refused.data.partition('id="fault"')[2].partition("</p>")[0]
    assert (await press(api, Page(refused.data), typed={"password": NEW})).status == 200


async def test_password_managers_know_the_account(api: Api, pool: Pool, settings: Settings):
    """The field says that the password is a new one, and for which address: the account's, not that of the link."""
    shown = (await open_link(api, await link(api, pool, settings))).data
    (name,) = re.findall(r'<input id="username"[^>]*>', shown)
    assert f'value="{ANN}"' in name
    assert 'autocomplete="username"' in name
    assert "readonly" in name
    (password,) = re.findall(r'<input id="password"[^>]*>', shown)
    assert 'type="password"' in password
    assert 'autocomplete="new-password"' in password
    assert 'minlength="6"' in password
    assert "maxlength" not in password, "a pasted password is never cut"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["At least 6 characters", "Without your name or e-mail address", "None that many people use"]),
        ({"password_min": 12, "password_max": 64, "password_personal_data": False, "password_blocklist": False},
         ["At least 12 characters", "At most 64 characters"]),
        ({"modern_by_default": True, "password_history": 2, "password_personal_data": False},
         ["At least 8 characters", "None that many people use", "None that you used before"]),
    ],
)  # fmt: skip
async def test_the_projects_rules_are_shown(
    api: Api, pool: Pool, settings: Settings, changes: dict[str, Any], told: list[str]
):
    """The rules that the service will check stand below the field, and no others."""
    await projects.change(pool, "shop", **changes)
    shown = (await open_link(api, await link(api, pool, settings))).data
    assert re.findall(r"<li[^>]*>([^<]+)</li>", shown) == told


async def test_only_our_script_runs(api: Api, pool: Pool, settings: Settings):
    """The policy names the one script by its hash; no attribute of the page is code."""
    answer = await open_link(api, await link(api, pool, settings))
    page, policy = Page(answer.data), answer.headers["Content-Security-Policy"]
    assert page.tags.count("script") == 1
    assert page.loads == []
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; form-action 'self'; "
        r"frame-ancestors 'none'; base-uri 'none'",
        policy,
    )


async def test_a_blocked_accounts_password_stays(api: Api, pool: Pool, settings: Settings):
    """A link that was mailed before the block changes nothing after it."""
    page = Page((await open_link(api, await link(api, pool, settings))).data)
    await pool.execute("update users set status = 'blocked'")
    answer = await press(api, page, typed={"password": NEW})
    assert (answer.status, Page(answer.data).heading) == (401, GONE)
