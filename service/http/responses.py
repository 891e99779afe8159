"""Responses: one neutral model, rendered for the API version of the request (docs/contract.md#models)."""

from typing import Any

import orjson
from aiohttp import web

from service.clientinfo import countries
from service.errors import AccountError
from service.http.context import RequestContext
from service.http.schemas import users
from service.http.schemas.mails import Mail
from service.http.schemas.sessions import Device
from service.store.events import Event
from service.store.outbox_admin import MemberMail
from service.store.security_log import Log
from service.store.sessions import Session
from service.store.tokens import Token
from service.store.users import User
from service.version import VERSION

_JSON = "application/json; charset=UTF-8"
# Format in which these fields appeared; some SDKs crash without them, and no older format knows them.
_TOKENS_OF_PROVIDERS = (0, 13)
_MODERN_EVENTS = {
    Event.ACCOUNT_CREATE: "user.create",
    Event.ACCOUNT_DELETE: "user.delete",
    Event.NAME_UPDATE: "user.update",
    Event.EMAIL_UPDATE: "user.update",
    Event.PASSWORD_UPDATE: "user.update",
    Event.PREFS_UPDATE: "user.update",
    Event.STATUS_UPDATE: "user.update",
    Event.SESSION_UPDATE: "session.update",
    Event.SESSION_CREATE: "session.create",
    Event.SESSION_DELETE: "session.delete",
    Event.RECOVERY_CREATE: "recovery.create",
    Event.RECOVERY_UPDATE: "recovery.update",
    Event.VERIFICATION_CREATE: "verification.create",
    Event.VERIFICATION_UPDATE: "verification.update",
    Event.DISAVOWAL: "user.disavowal",
    Event.BY_OPERATOR_CREATE: "user.create",
    Event.BY_OPERATOR_DELETE: "user.delete",
    Event.BY_OPERATOR_NAME: "user.update",
    Event.BY_OPERATOR_EMAIL: "user.update",
    Event.BY_OPERATOR_PASSWORD: "user.update",
    Event.BY_OPERATOR_PREFS: "user.update",
    Event.BY_OPERATOR_LABELS: "user.update",
    Event.BY_OPERATOR_STATUS: "user.update",
    Event.BY_OPERATOR_VERIFICATION: "user.update",
    Event.BY_OPERATOR_SESSIONS: "session.delete",
}
# Names in the log for an actor with an API key or on the command line.
_OPERATOR = "keyProject"
# Attribute and name on the wire of what a session and a log entry tell of a device.
_DEVICE = [(name, about.alias or name) for name, about in Device.model_fields.items() if not name.startswith("country")]


def json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers={"Content-Type": _JSON})


def nothing() -> web.Response:
    """Make a 204 with a Content-Type that is not JSON: without one the SDKs throw (docs/contract.md#responses)."""
    return web.Response(status=204, headers={"Content-Type": "text/html; charset=utf-8"})


def error(fault: AccountError, *, modern: bool) -> web.Response:
    status, message = fault.render(legacy=not modern)
    answer = json({"message": message, "code": status, "type": fault.type, "version": VERSION}, status)
    if fault.retry_after:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


def user(ctx: RequestContext, found: User) -> dict[str, Any]:
    """Render a user for itself (docs/contract.md#user)."""
    schema = users.User if ctx.api_version.modern else users.UserLegacy
    return schema.render(ctx.api_version, found)


def managed_user(ctx: RequestContext, found: User) -> dict[str, Any]:
    """Render a user for operators. The modern model has room for a hash; it stays empty."""
    schema = users.ManagedUser if ctx.api_version.modern else users.UserLegacy
    return schema.render(ctx.api_version, found)


def _device(row: Session | Log) -> dict[str, str]:
    return {name: getattr(row, field) for field, name in _DEVICE}


def _country(ctx: RequestContext, code: str) -> dict[str, str]:
    locale = countries.negotiate(ctx.client.locale or ctx.project.locale)
    return {"countryCode": code, "countryName": countries.name(code, locale)}


def session(ctx: RequestContext, found: Session, *, current: bool, secret: str = "") -> dict[str, Any]:
    """Render a session (docs/contract.md#session); a browser's secret stays "" because it is in the cookie."""
    time, modern = ctx.api_version.time, ctx.api_version.modern
    dates = {"$createdAt": time(found.created_at), "$updatedAt": time(found.updated_at)} if modern else {}
    provider = (
        {"providerAccessToken": "", "providerAccessTokenExpiry": time(None), "providerRefreshToken": ""}
        if ctx.api_version.format >= _TOKENS_OF_PROVIDERS
        else {"providerToken": ""}
    )
    tail = {"factors": [_factor(found.provider)], "secret": secret, "mfaUpdatedAt": ""} if modern else {}
    return {
        "$id": found.id,
        **dates,
        "userId": found.user_id,
        "expire": time(found.expires_at),
        "provider": found.provider,
        "providerUid": found.provider_uid,
        **provider,
        "ip": found.ip,
        **_device(found),
        **_country(ctx, found.country_code),
        "current": current,
        **tail,
    }


def _factor(provider: str) -> str:
    return {"email": "password", "anonymous": "anonymous"}.get(provider, "email")


def token(ctx: RequestContext, found: Token, *, user_id: str, phrase: str = "") -> dict[str, Any]:
    """Render a token (docs/contract.md#token); the secret is in the mail and nowhere else."""
    time = ctx.api_version.time
    if not ctx.api_version.modern:
        return {"$id": found.id, "userId": user_id, "secret": "", "expire": time(found.expires_at)}
    return {
        "$id": found.id,
        "$createdAt": time(found.created_at),
        "userId": user_id,
        "secret": "",
        "expire": time(found.expires_at),
        "phrase": phrase,
    }


def log(ctx: RequestContext, found: Log, owner: User) -> dict[str, Any]:
    """Render an entry of the security log (docs/contract.md#log)."""
    shared = {
        "ip": found.ip,
        "time": ctx.api_version.time(found.at),
        **_device(found),
        **_country(ctx, found.country_code),
    }
    if not ctx.api_version.modern:
        return {"event": found.name, **shared}
    return {
        "event": _MODERN_EVENTS.get(Event(found.name), found.name),
        "userId": owner.id,
        "userEmail": owner.email or "",
        "userName": owner.name,
        "mode": "default",
        "userType": _OPERATOR if found.name.startswith("users.") else "user",
        **shared,
    }


def mail(ctx: RequestContext, found: MemberMail) -> dict[str, Any]:
    """Render a mail for the member that it was sent to."""
    return Mail.render(ctx.api_version, found)
