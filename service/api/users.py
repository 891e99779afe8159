"""Users, for a server that holds an API key."""

from aiohttp import web

from service.accounts import password_policy, user_admin
from service.accounts.user_admin import AdminContext
from service.crypto.password_hashing import Method, from_scrypt, method_of
from service.errors import (
    ArgumentInvalid,
    CursorNotFound,
    PasswordPersonal,
    QueryInvalid,
    UserExists,
    UserNotFound,
)
from service.http import list_queries, responses, schemas, user_list_queries
from service.http.context import RequestContext
from service.http.fields import Hidden, Name, NewEmail, NewPassword, NewUserId, PhoneOrNone, ident
from service.http.request_body import Body, read, unfit_parameter
from service.http.routing import contract, users_read, users_write
from service.store import user_search, users
from service.store.users import User


def admin_context(ctx: RequestContext) -> AdminContext:
    return AdminContext(ctx.pool, ctx.project.id, ctx.client, ctx.services.job_queue)


async def find_or_raise(ctx: RequestContext) -> User:
    """Find the user that the path names; raises UserNotFound."""
    user = await users.find(ctx.pool, ctx.project.id, user_id=ident(ctx, "userId"))
    if user is None:
        raise UserNotFound
    return user


def user_response(ctx: RequestContext, user: User, status: int = 200) -> web.Response:
    return responses.json(responses.managed_user(ctx, user), status)


@users_read.get("/v1/users")
@contract(
    gives=schemas.USER_LIST,
    query=(schemas.USER_QUERIES, *schemas.OLD_PAGING, schemas.TOTAL),
    raises=(ArgumentInvalid, QueryInvalid, CursorNotFound),
)
async def list_users(ctx: RequestContext) -> web.Response:
    """List a page of the project's users, oldest first unless asked for otherwise."""
    asked, page = await user_list_queries.read(ctx)
    listing = await user_search.bound(ctx.pool, ctx.project.id, wanted=asked, page=page)
    found = await user_search.find(ctx.pool, ctx.project.id, listing)
    total = 0
    if list_queries.wants_total(ctx):
        total = await user_search.count(ctx.pool, ctx.project.id, listing, most=list_queries.COUNTED)
    return responses.json(
        {ctx.api_version.count: total, "users": [responses.managed_user(ctx, user) for user in found]}
    )


@users_read.get("/v1/users/{userId}")
@contract(gives=schemas.MANAGED_USER, raises=(UserNotFound,))
async def get_user(ctx: RequestContext) -> web.Response:
    """Return one user."""
    return responses.json(responses.managed_user(ctx, await find_or_raise(ctx)))


class CreateUser(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail | None = None
    phone: PhoneOrNone | None = None
    password: NewPassword | None = None
    name: Name | None = None


@users_write.post("/v1/users")
@contract(takes=CreateUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists, PasswordPersonal))
async def create_user(ctx: RequestContext) -> web.Response:
    """Create a user; without address, number or password it can get in by other means only."""
    body = await read(ctx, CreateUser)
    about = (body.userId, body.name, body.email, body.phone)
    line = None
    if body.password:
        line = await password_policy.hash_new_password(ctx, ctx.services.passwords, body.password.reveal(), about=about)
    return await create_by_hash(ctx, body, line, phone=body.phone or None)


class ImportUser(Body):
    userId: NewUserId | None = None  # noqa: N815 - the contract's spelling
    email: NewEmail
    password: Hidden
    name: Name | None = None


@users_write.post("/v1/users/argon2")
@contract(takes=ImportUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_argon2_user(ctx: RequestContext) -> web.Response:
    """Create a user from an Argon2 hash of the password."""
    body = await read(ctx, ImportUser)
    return await create_by_hash(ctx, body, _check_method(ctx, "argon2", body.password.reveal()))


@users_write.post("/v1/users/bcrypt")
@contract(takes=ImportUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_bcrypt_user(ctx: RequestContext) -> web.Response:
    """Create a user from a bcrypt hash of the password."""
    body = await read(ctx, ImportUser)
    return await create_by_hash(ctx, body, _check_method(ctx, "bcrypt", body.password.reveal()))


class ImportScryptUser(Body):
    """Body with a scrypt hash in hex of `passwordLength` bytes: `passwordCpu` is scrypt's N, `passwordMemory` its r."""

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
async def import_scrypt_user(ctx: RequestContext) -> web.Response:
    """Create a user from a scrypt hash of the password."""
    body = await read(ctx, ImportScryptUser)
    try:
        digest = bytes.fromhex(body.password.reveal())
        if len(digest) != body.passwordLength:
            raise unfit_hash(ctx, "scrypt")
        line = from_scrypt(
            digest,
            salt=body.passwordSalt.reveal().encode(),
            n=body.passwordCpu,
            r=body.passwordMemory,
            p=body.passwordParallel,
        )
    except ValueError:
        raise unfit_hash(ctx, "scrypt") from None
    return await create_by_hash(ctx, body, line)


def _check_method(ctx: RequestContext, method: Method, line: str) -> str:
    """Return the hash. Raises ArgumentInvalid unless this method made it."""
    if method_of(line) != method:
        raise unfit_hash(ctx, method)
    return line


def unfit_hash(ctx: RequestContext, method: str) -> ArgumentInvalid:
    text = f"Value must be a hash that {method} made at a cost this service can bear"
    return unfit_parameter(ctx, "password", text)


async def create_by_hash(
    ctx: RequestContext,
    body: CreateUser | ImportUser | ImportScryptUser,
    line: str | None,
    *,
    phone: str | None = None,
) -> web.Response:
    """Create a user with a hash that is known here, or without one."""
    user = await user_admin.create(
        admin_context(ctx), user_id=body.userId, email=body.email, name=body.name, password_hash=line, phone=phone
    )
    return user_response(ctx, user, 201)


@users_write.delete("/v1/users/{userId}")
@contract(raises=(UserNotFound,))
async def delete_user(ctx: RequestContext) -> web.Response:
    """Delete a user for good, with its sessions and links; the address is free again."""
    await user_admin.delete(admin_context(ctx), ident(ctx, "userId"))
    return responses.nothing()
