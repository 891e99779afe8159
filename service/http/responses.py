"""Responses: one neutral model, rendered for the API version of the request (docs/contract.md#models)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from service.clientinfo import countries
from service.errors import AccountError
from service.http import schemas
from service.http.context import RequestContext
from service.http.security_headers import Response
from service.store.identities import Identity
from service.store.outbox_admin import MemberMail
from service.store.security_log import Log
from service.store.sessions import Session
from service.store.tokens import Token
from service.store.users import User
from service.version import VERSION

_JSON = "application/json; charset=UTF-8"


def json(body: object, status: int = 200) -> web.Response:
    return Response(body=orjson.dumps(body), status=status, headers={"Content-Type": _JSON})


def streamed_json(pieces: AsyncIterator[bytes]) -> web.Response:
    """Make a response whose JSON is written piece by piece, as fast as its client reads.

    It is written after the guards have ended: without the request's deadline, and an error can only cut it off.
    """
    return Response(body=pieces, headers={"Content-Type": _JSON})


def nothing() -> web.Response:
    """Make a 204 with a Content-Type that is not JSON: without one the SDKs throw (docs/contract.md#responses)."""
    return Response(status=204, headers={"Content-Type": "text/html; charset=utf-8"})


def error(fault: AccountError, *, modern: bool) -> web.Response:
    status, message = fault.render(legacy=not modern)
    answer = json({"message": message, "code": status, "type": fault.type, "version": VERSION}, status)
    if fault.retry_after:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


def user(ctx: RequestContext, found: User) -> dict[str, Any]:
    """Render a user for itself (docs/contract.md#user)."""
    return schemas.USER.render(ctx.api_version, found)


def managed_user(ctx: RequestContext, found: User) -> dict[str, Any]:
    """Render a user for operators. The modern model has room for a hash; it stays empty."""
    return schemas.MANAGED_USER.render(ctx.api_version, found)


@dataclass(frozen=True, slots=True)
class ShownTokens:
    """A provider's tokens as a client is shown them."""

    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    until: datetime | None = None

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "provider_token": self.access,
            "provider_access_token": self.access,
            "provider_access_token_expiry": self.until,
            "provider_refresh_token": self.refresh,
        }


NO_TOKENS = ShownTokens()


def session(
    ctx: RequestContext, found: Session, *, current: bool, secret: str = "", tokens: ShownTokens = NO_TOKENS
) -> dict[str, Any]:
    """Render a session (docs/contract.md#session); a browser's secret stays "" because it is in the cookie."""
    country = _country_name(ctx, found.country_code)
    about = {"current": current, "secret": secret, "country_name": country, **tokens.fields}
    return schemas.SESSION.render(ctx.api_version, found, **about)


def identity(ctx: RequestContext, found: Identity, tokens: ShownTokens) -> dict[str, Any]:
    """Render an identity (docs/contract.md#sign-in-by-providers)."""
    return schemas.IDENTITY.render(ctx.api_version, found, **tokens.fields)


def token(ctx: RequestContext, found: Token, *, user_id: str, phrase: str = "") -> dict[str, Any]:
    """Render a token (docs/contract.md#token); the secret is in the mail and nowhere else."""
    return schemas.TOKEN.render(ctx.api_version, found, user_id=user_id, phrase=phrase)


def magic_url_token(ctx: RequestContext, found: Token, *, user_id: str, phrase: str = "") -> dict[str, Any]:
    """Render the token of a link that signs in where it is opened."""
    return schemas.MAGIC_URL_TOKEN.render(ctx.api_version, found, user_id=user_id, phrase=phrase, secret="")


def first_tab_token(ctx: RequestContext, found: Token, *, user_id: str, number: str, secret: str) -> dict[str, Any]:
    """Render the token of a link that signs in who asked for it, with the number; only a server gets `secret`."""
    return schemas.FIRST_TAB_TOKEN.render(ctx.api_version, found, user_id=user_id, phrase=number, secret=secret)


def custom_token(ctx: RequestContext, found: Token, *, secret: str) -> dict[str, Any]:
    """Render a token for the app's server that has made it, with its secret."""
    return schemas.CUSTOM_TOKEN.render(ctx.api_version, found, phrase="", secret=secret)


def phone_token(ctx: RequestContext, found: Token, *, secret: str) -> dict[str, Any]:
    """Render a token whose secret is in an SMS; only a server that may have it gets it here too."""
    return schemas.PHONE_TOKEN.render(
        ctx.api_version, found, user_id=found.requested_user_id or "", phrase="", secret=secret
    )


def log(ctx: RequestContext, found: Log, owner: User) -> dict[str, Any]:
    """Render an entry of the security log (docs/contract.md#log)."""
    about = {"user_id": owner.id, "user_email": owner.email, "user_name": owner.name}
    return schemas.LOG.render(ctx.api_version, found, **about, country_name=_country_name(ctx, found.country_code))


def mail(ctx: RequestContext, found: MemberMail) -> dict[str, Any]:
    """Render a mail for the member that it was sent to."""
    return schemas.MAIL.render(ctx.api_version, found)


def _country_name(ctx: RequestContext, code: str) -> str:
    return countries.name(code, ctx.client.locale or ctx.project.locale)
