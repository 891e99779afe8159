"""What a server that holds an API key changes of a user."""

from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from service.api import answers, new_passwords, operators, shapes
from service.api.bodies import Asker, Body, read
from service.api.calls import Call
from service.api.fields import Name, NewEmail, NewPassword, ident, unfit
from service.api.prefs import Prefs, written
from service.api.routes import contract, users_read, users_write
from service.api.users import answer, get, operator
from service.errors import EmailExists, PasswordPersonal, PasswordReused, UserNotFound
from service.jobs import RECORD_LOG
from service.users import Status

_LABELS, _LABEL = 1000, 36
_STATUS: dict[Any, Status] = {False: "blocked", True: "active"}
_LEGACY_STATUS: dict[Any, Status] = {0: "unactivated", 1: "active", 2: "blocked"}


class UpdateName(Body):
    name: Name


@users_write.patch("/v1/users/{userId}/name")
@contract(takes=UpdateName, gives=shapes.MANAGED_USER, raises=(UserNotFound,))
async def update_user_name(call: Call) -> web.Response:
    """Set a user's name; it may be empty."""
    body = await read(call, UpdateName)
    return await answer(call, await operators.change_name(operator(call), ident(call, "userId"), name=body.name))


class UpdateUserEmail(Body):
    email: NewEmail


@users_write.patch("/v1/users/{userId}/email")
@contract(takes=UpdateUserEmail, gives=shapes.MANAGED_USER, raises=(UserNotFound, EmailExists))
async def update_user_email(call: Call) -> web.Response:
    """Set a user's address, which is unproved then. Every earlier link is dead; nobody is mailed."""
    body = await read(call, UpdateUserEmail)
    return await answer(call, await operators.change_email(operator(call), ident(call, "userId"), email=body.email))


class UpdateUserPassword(Body):
    password: NewPassword


@users_write.patch("/v1/users/{userId}/password")
@contract(
    takes=UpdateUserPassword,
    gives=shapes.MANAGED_USER,
    raises=(UserNotFound, PasswordPersonal, PasswordReused),
)
async def update_user_password(call: Call) -> web.Response:
    """Set a user's password. All sessions and every open link end."""
    body = await read(call, UpdateUserPassword)
    user = await get(call)
    line = await new_passwords.accept(
        call,
        call.services.passwords,
        body.password.reveal(),
        about=new_passwords.about(user),
        earlier=await new_passwords.earlier(call, call.pool, user),
    )
    kept = call.project.password_history
    return await answer(call, await operators.change_password(operator(call), user.id, password_hash=line, kept=kept))


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
@contract(takes=UpdateUserStatus, gives=shapes.MANAGED_USER, raises=(UserNotFound,))
async def update_user_status(call: Call) -> web.Response:
    """Block a user at once, or let it in again. Every open link is dead either way."""
    body = await read(call, UpdateUserStatus)
    return await answer(call, await operators.change_status(operator(call), ident(call, "userId"), status=body.status))


class UpdateEmailVerification(Body):
    emailVerification: Annotated[bool, Field(examples=[True])]  # noqa: N815 - the contract's spelling


@users_write.patch("/v1/users/{userId}/verification")
@contract(takes=UpdateEmailVerification, gives=shapes.MANAGED_USER, raises=(UserNotFound,))
async def update_user_verification(call: Call) -> web.Response:
    """Say whether a user's address is proved. Taken back, no earlier link counts as a proof."""
    body = await read(call, UpdateEmailVerification)
    done = await operators.change_verification(
        operator(call), ident(call, "userId"), email_verified=body.emailVerification
    )
    return await answer(call, done)


def _labels(values: list[str]) -> list[str]:
    fit = all(1 <= len(value) <= _LABEL and value.isascii() and value.isalnum() for value in values)
    if len(values) > _LABELS or not fit:
        raise unfit("Labels are at most 1000, each 1 to 36 of a-z A-Z 0-9")
    return values


Labels = Annotated[list[str], AfterValidator(_labels), Field(examples=[["vip"]])]


class UpdateLabels(Body):
    labels: Labels


@users_write.put("/v1/users/{userId}/labels")
@contract(takes=UpdateLabels, gives=shapes.MANAGED_USER, raises=(UserNotFound,))
async def update_labels(call: Call) -> web.Response:
    """Replace a user's labels."""
    body = await read(call, UpdateLabels)
    return await answer(call, await operators.change_labels(operator(call), ident(call, "userId"), labels=body.labels))


@users_read.get("/v1/users/{userId}/prefs")
@contract(gives=shapes.PREFERENCES, raises=(UserNotFound,))
async def get_user_prefs(call: Call) -> web.Response:
    """A user's preferences, `{}` when there are none."""
    return answers.json(orjson.Fragment((await get(call)).prefs))


class UpdateUserPrefs(Body):
    prefs: Prefs


@users_write.patch("/v1/users/{userId}/prefs")
@contract(takes=UpdateUserPrefs, gives=shapes.PREFERENCES, raises=(UserNotFound,))
async def update_user_prefs(call: Call) -> web.Response:
    """As the member's own route: legacy merges, modern replaces. Answers with the preferences alone."""
    body = await read(call, UpdateUserPrefs)
    done = await operators.change_prefs(
        operator(call),
        ident(call, "userId"),
        rewrite=lambda earlier: written(body.prefs, earlier, merge=not call.era.modern),
    )
    await call.services.bell.ring(RECORD_LOG, done.event)
    return answers.json(orjson.Fragment(done.user.prefs))
