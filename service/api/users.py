"""Users, as a server that holds an API key sees and makes them."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from service.accounts import password_policy, user_admin
from service.accounts.user_admin import Done, Operator
from service.crypto.password_hashing import Method, from_scrypt, method_of
from service.errors import (
    ArgumentInvalid,
    CursorNotFound,
    PasswordPersonal,
    PhoneDisabled,
    QueryInvalid,
    UserExists,
    UserNotFound,
)
from service.http import list_queries, responses, schemas, user_list_queries
from service.http.context import Call
from service.http.fields import Hidden, Name, NewEmail, NewPassword, NewUserId, ident
from service.http.request_body import Body, read
from service.http.routing import contract, users_read, users_write
from service.queue import RECORD_LOG
from service.store import users
from service.store.users import User

# More are not counted: the answer is for a page's number, not for statistics.
_COUNTED = 5000


def operator(call: Call) -> Operator:
    return Operator(call.pool, call.project.id, call.client)


async def get(call: Call) -> User:
    """The user that the path names; raises UserNotFound."""
    user = await users.find(call.pool, call.project.id, user_id=ident(call, "userId"))
    if user is None:
        raise UserNotFound
    return user


async def answer(call: Call, done: Done, status: int = 200) -> web.Response:
    """After COMMIT: the bell, and the user as it is now."""
    await call.services.bell.ring(RECORD_LOG, done.event)
    return responses.json(responses.managed_user(call, done.user), status)


@users_read.get("/v1/users")
@contract(
    gives=schemas.USER_LIST,
    query=(schemas.USER_QUERIES, *schemas.OLD_PAGING, schemas.TOTAL),
    raises=(ArgumentInvalid, QueryInvalid, CursorNotFound),
)
async def list_users(call: Call) -> web.Response:
    """A page of the project's users, oldest first unless asked for otherwise."""
    wanted, page = await user_list_queries.read(call)
    found = await users.page(call.pool, call.project.id, wanted=wanted, page=page)
    total = 0
    if list_queries.wants_total(call):
        total = await users.count(call.pool, call.project.id, wanted=wanted, most=_COUNTED)
    return responses.json({call.era.count: total, "users": [responses.managed_user(call, user) for user in found]})


@users_read.get("/v1/users/{userId}")
@contract(gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def get_user(call: Call) -> web.Response:
    """One user."""
    return responses.json(responses.managed_user(call, await get(call)))


class CreateUser(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail | None = None
    phone: Annotated[str, Field(description="Refused unless it is empty: there are no numbers yet")] | None = None
    password: NewPassword | None = None
    name: Name | None = None


@users_write.post("/v1/users")
@contract(
    takes=CreateUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists, PasswordPersonal, PhoneDisabled)
)
async def create_user(call: Call) -> web.Response:
    """Make a user; without address or password it can get in by other means only."""
    body = await read(call, CreateUser)
    if body.phone:
        raise PhoneDisabled  # rather than a user without the number that was given
    about = (body.userId, body.name, body.email)
    accepted = (
        password_policy.accept(call, call.services.passwords, body.password.reveal(), about=about)
        if body.password
        else None
    )
    return await _create(call, body, await accepted if accepted else None)


class ImportUser(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail
    password: Hidden
    name: Name | None = None


@users_write.post("/v1/users/argon2")
@contract(takes=ImportUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_argon2_user(call: Call) -> web.Response:
    """Make a user of whose password only an Argon2 hash is known."""
    body = await read(call, ImportUser)
    return await _create(call, body, _proved_by(call, "argon2", body.password.reveal()))


@users_write.post("/v1/users/bcrypt")
@contract(takes=ImportUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_bcrypt_user(call: Call) -> web.Response:
    """Make a user of whose password only a bcrypt hash is known."""
    body = await read(call, ImportUser)
    return await _create(call, body, _proved_by(call, "bcrypt", body.password.reveal()))


class ImportScryptUser(Body):
    """`passwordCpu` is scrypt's N, `passwordMemory` its r; the hash is in hex and `passwordLength` bytes long."""

    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail
    password: Hidden
    passwordSalt: Hidden  # noqa: N815 - the contract's spelling
    passwordCpu: int  # noqa: N815 - the contract's spelling
    passwordMemory: int  # noqa: N815 - the contract's spelling
    passwordParallel: int  # noqa: N815 - the contract's spelling
    passwordLength: int  # noqa: N815 - the contract's spelling
    name: Name | None = None


@users_write.post("/v1/users/scrypt")
@contract(takes=ImportScryptUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_scrypt_user(call: Call) -> web.Response:
    """Make a user of whose password only a scrypt hash is known."""
    body = await read(call, ImportScryptUser)
    try:
        digest = bytes.fromhex(body.password.reveal())
        if len(digest) != body.passwordLength:
            raise _unfit(call, "scrypt")
        line = from_scrypt(
            digest,
            salt=body.passwordSalt.reveal().encode(),
            n=body.passwordCpu,
            r=body.passwordMemory,
            p=body.passwordParallel,
        )
    except ValueError:
        raise _unfit(call, "scrypt") from None
    return await _create(call, body, line)


def _proved_by(call: Call, method: Method, line: str) -> str:
    if method_of(line) != method:
        raise _unfit(call, method)
    return line


def _unfit(call: Call, method: Method) -> ArgumentInvalid:
    text = f"Value must be a hash that {method} made at a cost this service can bear"
    return ArgumentInvalid(f"Invalid `password` param: {text}" if call.era.modern else f"Invalid password: {text}")


async def _create(call: Call, body: CreateUser | ImportUser | ImportScryptUser, line: str | None) -> web.Response:
    done = await user_admin.create(
        operator(call), user_id=body.userId, email=body.email, name=body.name, password_hash=line
    )
    return await answer(call, done, 201)


@users_write.delete("/v1/users/{userId}")
@contract(raises=(UserNotFound,))
async def delete_user(call: Call) -> web.Response:
    """Delete a user for good, with its sessions and links; the address is free again."""
    done = await user_admin.delete(operator(call), ident(call, "userId"))
    await call.services.bell.ring(RECORD_LOG, done.event)
    return responses.nothing()
