"""A browser that asks for a magic link which finishes where it was begun, and the reader of its mail."""

from dataclasses import dataclass, field
from typing import Any

from service.db import Pool
from service.settings import Settings
from service.store import token_secrets
from service.store.tokens import Kind, Token
from testkit.api import Api
from testkit.forms import Page
from testkit.hosted_pages import open_link, press

ASK, OPEN = "/v1/account/tokens/magic-url", "/v1/account/sessions/magic-url"
APPROVAL = "/auth/magic-url/approval"
WAITS = (401, "user_token_pending")
IN_COOKIE = "first-tab"


@dataclass
class Asker:
    """A tab with the cookie of its browser; `token` is the answer that it got."""

    api: Api
    token: dict[str, Any]
    cookie: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def number(self) -> str:
        return str(self.token["phrase"])

    async def open(self, **more: Any) -> Any:
        """Ask for the session, as the SDKs' updateMagicURLSession does."""
        body = {"userId": self.token["userId"], "secret": IN_COOKIE} | more
        sent = {"Cookie": self.cookie} | self.headers
        return await self.api.call("PUT", OPEN, json=body, headers=sent, modern=True)


async def ask(api: Api, email: str = "ann@example.com", **more: Any) -> Asker:
    """Ask for a link in a fresh browser."""
    body = {"userId": "unique()", "email": email} | more
    answer = await api.call("POST", ASK, json=body, modern=True)
    assert answer.status == 201, answer.data
    (cookie,) = answer.headers.getall("Set-Cookie")
    return Asker(api, answer.data, cookie.partition(";")[0])


async def mailed_secret(pool: Pool, settings: Settings) -> str:
    """Return the secret of the latest link, as its mail has it."""
    row = await pool.fetchrow(
        "select project_id, id, kind, user_id, asked_as, email, email_version, kid, created_at, expires_at "
        "from tokens where kind = $1 order by created_at desc limit 1",
        Kind.FIRST_TAB.value,
    )
    assert row
    return token_secrets.secret_of(settings.key_ring, Token(*row), form="short")


async def read_mail(api: Api, secret: str) -> Page:
    """Open the mailed link, in another browser."""
    answer = await open_link(api, f"{APPROVAL}?project=shop&secret={secret}")
    assert answer.status == 200, answer.data
    return Page(answer.data)


async def enter(api: Api, secret: str, number: str) -> Any:
    """Open the link and enter a number."""
    return await press(api, await read_mail(api, secret), typed={"number": number})


def wrong(number: str) -> str:
    return "10" if number != "10" else "11"
