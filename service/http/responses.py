"""Responses: one neutral model, rendered for the API version of the request (docs/contract.md#models)."""

from typing import Any

import orjson
from aiohttp import web

from service.clientinfo import countries
from service.errors import AccountError
from service.http.context import RequestContext
from service.store import outbox_admin
from service.store.events import Event
from service.store.outbox_admin import MemberMail
from service.store.security_log import Log
from service.store.sessions import Session
from service.store.tokens import Token
from service.store.users import User
from service.version import VERSION

_JSON = "application/json; charset=UTF-8"
# Formats in which a field appeared; some SDKs crash without it, and no older format knows it.
_TOKENS_OF_PROVIDERS, _IMPERSONATOR = (0, 13), (1, 9)
_STATUS = {"unactivated": 0, "active": 1, "blocked": 2}
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
_DEVICE = (
    "os_code",
    "os_name",
    "os_version",
    "client_type",
    "client_code",
    "client_name",
    "client_version",
    "client_engine",
    "client_engine_version",
    "device_name",
    "device_brand",
    "device_model",
)
_DEVICE_NAMES = tuple(
    (field, field.split("_")[0] + "".join(word.title() for word in field.split("_")[1:])) for field in _DEVICE
)


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
    time, prefs = ctx.api_version.time, orjson.Fragment(found.prefs)
    if not ctx.api_version.modern:
        return {
            "$id": found.id,
            "name": found.name,
            "registration": time(found.created_at),
            "status": _STATUS[found.status],
            "passwordUpdate": time(found.password_updated_at),
            "email": found.email or "",
            "emailVerification": found.email_verified,
            "prefs": prefs,
        }
    late = {"impersonator": False} if ctx.api_version.format >= _IMPERSONATOR else {}
    return {
        "$id": found.id,
        "$createdAt": time(found.created_at),
        "$updatedAt": time(found.updated_at),
        "name": found.name,
        "registration": time(found.created_at),
        "status": found.status != "blocked",
        "labels": found.labels,
        "passwordUpdate": time(found.password_updated_at),
        "email": found.email or "",
        "phone": "",
        "emailVerification": found.email_verified,
        "phoneVerification": False,
        "mfa": False,
        "prefs": prefs,
        "targets": _targets(ctx, found),
        "accessedAt": time(found.accessed_at),
        **late,
    }


def managed_user(ctx: RequestContext, found: User) -> dict[str, Any]:
    """Render a user for operators. The modern model has room for a hash; it stays empty."""
    shown = user(ctx, found)
    return shown | {"password": "", "hash": "", "hashOptions": {}} if ctx.api_version.modern else shown


def _targets(ctx: RequestContext, found: User) -> list[dict[str, Any]]:
    if not found.email:
        return []
    made, changed = ctx.api_version.time(found.created_at), ctx.api_version.time(found.updated_at)
    return [
        {
            "$id": f"email-{found.id}"[:36],
            "$createdAt": made,
            "$updatedAt": changed,
            "name": "",
            "userId": found.id,
            "providerId": None,
            "providerType": "email",
            "identifier": found.email,
            "expired": False,
        }
    ]


def _device(row: Session | Log) -> dict[str, str]:
    return {name: getattr(row, field) for field, name in _DEVICE_NAMES}


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
    """Render a mail for its member. Leases are internal: a mail that is being sent is still pending."""
    time = ctx.api_version.time
    return {
        "$id": str(found.id),
        "$createdAt": time(found.created_at),
        "$updatedAt": time(found.changed_at),
        "kind": found.letter,
        "recipient": outbox_admin.mask_address(found.recipient),
        "state": "pending" if found.state == "sending" else found.state,
        "reason": found.reason,
    }
