"""What a server that holds an API key changes of a user."""

from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import BeforeValidator, Field, ValidationInfo

from service.accounts import password_policy, user_admin
from service.api.prefs import Prefs, written
from service.api.users import answer, get, operator
from service.errors import EmailExists, PasswordPersonal, PasswordReused, UserNotFound
from service.http import responses, schemas
from service.http.context import Call
from service.http.fields import Labels, Name, NewEmail, NewPassword, ident, unfit
from service.http.request_body import Asker, Body, read
from service.http.routing import contract, users_read, users_write
from service.queue import RECORD_LOG
from service.store.users import Status

_STATUS: dict[Any, Status] = {False: "blocked", True: "active"}
_LEGACY_STATUS: dict[Any, Status] = {0: "unactivated", 1: "active", 2: "blocked"}


class UpdateName(Body):
    name: Name


@users_write.patch("/v1/users/{userId}/name")
@contract(takes=UpdateName, gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def update_user_name(call: Call) -> web.Response:
    """Set a user's name; it may be empty."""
    body = await read(call, UpdateName)
    return await answer(call, await user_admin.change_name(operator(call), ident(call, "userId"), name=body.name))


class UpdateUserEmail(Body):
    email: NewEmail


@users_write.patch("/v1/users/{userId}/email")
@contract(takes=UpdateUserEmail, gives=schemas.MANAGED_USER, raises=(UserNotFound, EmailExists))
async def update_user_email(call: Call) -> web.Response:
    """Set a user's address, which is unproved then. Every earlier link is dead; nobody is mailed."""
    body = await read(call, UpdateUserEmail)
    return await answer(call, await user_admin.change_email(operator(call), ident(call, "userId"), email=body.email))


class UpdateUserPassword(Body):
    password: NewPassword


@users_write.patch("/v1/users/{userId}/password")
@contract(
    takes=UpdateUserPassword,
    gives=schemas.MANAGED_USER,
    raises=(UserNotFound, PasswordPersonal, PasswordReused),
)
async def update_user_password(call: Call) -> web.Response:
    """Set a user's password. All sessions and every open link end."""
    body = await read(call, UpdateUserPassword)
    user = await get(call)
    line = await password_policy.accept(
        call,
        call.services.passwords,
        body.password.reveal(),
        about=password_policy.about(user),
        earlier=await password_policy.earlier(call, call.pool, user),
    )
    kept = call.project.password_history
    return await answer(call, await user_admin.change_password(operator(call), user.id, password_hash=line, kept=kept))


def _status(value: Any, info: ValidationInfo) -> Any:
    """Modern: true or false, as 1 or 0 too. Legacy: 0 unactivated, 1 active, 2 blocked."""
    asker: Asker = info.context  # type: ignore[assignment] # fit() passes nothing else
    if isinstance(value, int) and value in _STATUS and (isinstance(value, bool) or asker.era.modern):
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
async def update_user_status(call: Call) -> web.Response:
    """Block a user at once, or let it in again. Every open link is dead either way."""
    body = await read(call, UpdateUserStatus)
    return await answer(call, await user_admin.change_status(operator(call), ident(call, "userId"), status=body.status))


class UpdateEmailVerification(Body):
    emailVerification: Annotated[bool, Field(examples=[True])]  # noqa: N815 - the contract's spelling


@users_write.patch("/v1/users/{userId}/verification")
@contract(takes=UpdateEmailVerification, gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def update_user_verification(call: Call) -> web.Response:
    """Say whether a user's address is proved. Taken back, no earlier link counts as a proof."""
    body = await read(call, UpdateEmailVerification)
    done = await user_admin.change_verification(
        operator(call), ident(call, "userId"), email_verified=body.emailVerification
    )
    return await answer(call, done)


class UpdateLabels(Body):
    labels: Labels


@users_write.put("/v1/users/{userId}/labels")
@contract(takes=UpdateLabels, gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def update_labels(call: Call) -> web.Response:
    """Replace a user's labels."""
    body = await read(call, UpdateLabels)
    return await answer(call, await user_admin.change_labels(operator(call), ident(call, "userId"), labels=body.labels))


@users_read.get("/v1/users/{userId}/prefs")
@contract(gives=schemas.PREFERENCES, raises=(UserNotFound,))
async def get_user_prefs(call: Call) -> web.Response:
    """A user's preferences, `{}` when there are none."""
    return responses.json(orjson.Fragment((await get(call)).prefs))


class UpdateUserPrefs(Body):
    prefs: Prefs


@users_write.patch("/v1/users/{userId}/prefs")
@contract(takes=UpdateUserPrefs, gives=schemas.PREFERENCES, raises=(UserNotFound,))
async def update_user_prefs(call: Call) -> web.Response:
    """As the member's own route: legacy merges, modern replaces. Answers with the preferences alone."""
    body = await read(call, UpdateUserPrefs)
    done = await user_admin.change_prefs(
        operator(call),
        ident(call, "userId"),
        rewrite=lambda earlier: written(body.prefs, earlier, merge=not call.era.modern),
    )
    await call.services.bell.ring(RECORD_LOG, done.event)
    return responses.json(orjson.Fragment(done.user.prefs))
