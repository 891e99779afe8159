"""Changes of a user by a server that holds an API key."""

from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import BeforeValidator, Field, ValidationInfo

from service.accounts import password_policy, user_admin
from service.api.prefs import Prefs, serialize
from service.api.users import admin_context, find_or_raise, user_response
from service.errors import (
    EmailExists,
    PasswordPersonal,
    PasswordReused,
    PhoneExists,
    PhoneMissing,
    UserNotFound,
)
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import Labels, Name, NewEmail, NewPassword, PhoneOrNone, ident, unfit
from service.http.request_body import Body, context_of, read
from service.http.routing import contract, users_read, users_write
from service.store.users import Status

_STATUS: dict[Any, Status] = {False: "blocked", True: "active"}
_LEGACY_STATUS: dict[Any, Status] = {0: "unactivated", 1: "active", 2: "blocked"}


class UpdateName(Body):
    name: Name


@users_write.patch("/v1/users/{userId}/name")
@contract(takes=UpdateName, gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def update_user_name(ctx: RequestContext) -> web.Response:
    """Set a user's name; it may be empty."""
    body = await read(ctx, UpdateName)
    return user_response(ctx, await user_admin.change_name(admin_context(ctx), ident(ctx, "userId"), name=body.name))


class UpdateUserEmail(Body):
    email: NewEmail


@users_write.patch("/v1/users/{userId}/email")
@contract(takes=UpdateUserEmail, gives=schemas.MANAGED_USER, raises=(UserNotFound, EmailExists))
async def update_user_email(ctx: RequestContext) -> web.Response:
    """Set a user's address, which is unproved then. Every earlier link is dead; no mail is sent."""
    body = await read(ctx, UpdateUserEmail)
    return user_response(ctx, await user_admin.change_email(admin_context(ctx), ident(ctx, "userId"), email=body.email))


class UpdateUserPassword(Body):
    password: NewPassword


@users_write.patch("/v1/users/{userId}/password")
@contract(
    takes=UpdateUserPassword,
    gives=schemas.MANAGED_USER,
    raises=(UserNotFound, PasswordPersonal, PasswordReused),
)
async def update_user_password(ctx: RequestContext) -> web.Response:
    """Set a user's password. All sessions and every open link end."""
    body = await read(ctx, UpdateUserPassword)
    user = await find_or_raise(ctx)
    line = await password_policy.hash_new_password(
        ctx,
        ctx.services.passwords,
        body.password.reveal(),
        about=password_policy.personal_words(user),
        earlier=await password_policy.previous_hashes(ctx, ctx.pool, user),
    )
    kept = ctx.project.password_history
    return user_response(
        ctx, await user_admin.change_password(admin_context(ctx), user.id, password_hash=line, kept=kept)
    )


def _status(value: Any, info: ValidationInfo) -> Any:
    """Parse a status. Modern: true or false, as 1 or 0 too. Legacy: 0 unactivated, 1 active, 2 blocked."""
    modern = context_of(info).api_version.modern
    if isinstance(value, int) and value in _STATUS and (isinstance(value, bool) or modern):
        return _STATUS[value]
    if isinstance(value, int) and value in _LEGACY_STATUS:
        return _LEGACY_STATUS[value]
    raise unfit("Value must be true, false, or one of 0, 1, 2")


class UpdateUserStatus(Body):
    status: Annotated[
        Status,
        BeforeValidator(_status, json_schema_input_type=bool | int),
        Field(examples=[False], description="Modern: false blocks. Legacy: 0 unactivated, 1 active, 2 blocked"),
    ]


@users_write.patch("/v1/users/{userId}/status")
@contract(takes=UpdateUserStatus, gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def update_user_status(ctx: RequestContext) -> web.Response:
    """Block a user at once, or let it in again. Every open link is dead either way."""
    body = await read(ctx, UpdateUserStatus)
    return user_response(
        ctx, await user_admin.change_status(admin_context(ctx), ident(ctx, "userId"), status=body.status)
    )


class UpdateEmailVerification(Body):
    emailVerification: Annotated[bool, Field(examples=[True])]  # noqa: N815 - the contract's spelling


@users_write.patch("/v1/users/{userId}/verification")
@contract(takes=UpdateEmailVerification, gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def update_user_verification(ctx: RequestContext) -> web.Response:
    """Mark a user's address as proved or not. Taken back, no earlier link counts as a proof."""
    body = await read(ctx, UpdateEmailVerification)
    user = await user_admin.change_verification(
        admin_context(ctx), ident(ctx, "userId"), email_verified=body.emailVerification
    )
    return user_response(ctx, user)


class UpdateUserPhone(Body):
    number: PhoneOrNone


@users_write.patch("/v1/users/{userId}/phone")
@contract(takes=UpdateUserPhone, gives=schemas.MANAGED_USER, raises=(UserNotFound, PhoneExists))
async def update_user_phone(ctx: RequestContext) -> web.Response:
    """Set a user's number, which is unproved then; an empty one removes it. Every earlier code is dead."""
    body = await read(ctx, UpdateUserPhone)
    user = await user_admin.change_phone(admin_context(ctx), ident(ctx, "userId"), phone=body.number or None)
    return user_response(ctx, user)


class UpdateUserPhoneVerification(Body):
    phoneVerification: Annotated[bool, Field(examples=[True])]  # noqa: N815 - the contract's spelling


@users_write.patch("/v1/users/{userId}/verification/phone")
@contract(
    takes=UpdateUserPhoneVerification, gives=schemas.MANAGED_USER, raises=(UserNotFound, PhoneMissing, PhoneExists)
)
async def update_user_phone_verification(ctx: RequestContext) -> web.Response:
    """Mark a user's number as proved or not. Proved, it signs in to this account, and others lose it."""
    body = await read(ctx, UpdateUserPhoneVerification)
    user = await user_admin.change_phone_verification(
        admin_context(ctx), ident(ctx, "userId"), phone_verified=body.phoneVerification
    )
    return user_response(ctx, user)


class UpdateLabels(Body):
    labels: Labels


@users_write.put("/v1/users/{userId}/labels")
@contract(takes=UpdateLabels, gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def update_labels(ctx: RequestContext) -> web.Response:
    """Replace a user's labels."""
    body = await read(ctx, UpdateLabels)
    return user_response(
        ctx, await user_admin.change_labels(admin_context(ctx), ident(ctx, "userId"), labels=body.labels)
    )


@users_read.get("/v1/users/{userId}/prefs")
@contract(gives=schemas.PREFERENCES, raises=(UserNotFound,))
async def get_user_prefs(ctx: RequestContext) -> web.Response:
    """Return a user's preferences, `{}` when there are none."""
    return responses.json(orjson.Fragment((await find_or_raise(ctx)).prefs))


class UpdateUserPrefs(Body):
    prefs: Prefs


@users_write.patch("/v1/users/{userId}/prefs")
@contract(takes=UpdateUserPrefs, gives=schemas.PREFERENCES, raises=(UserNotFound,))
async def update_user_prefs(ctx: RequestContext) -> web.Response:
    """Change preferences as the member's own route does: legacy merges, modern replaces. Answers with them alone."""
    body = await read(ctx, UpdateUserPrefs)
    user = await user_admin.change_prefs(
        admin_context(ctx),
        ident(ctx, "userId"),
        rewrite=lambda earlier: serialize(body.prefs, earlier, merge=not ctx.api_version.modern),
    )
    return responses.json(orjson.Fragment(user.prefs))
