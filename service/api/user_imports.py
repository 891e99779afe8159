"""Users from hashes of other systems that are too weak to be kept, and from Firebase's, by API key."""

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field

from service.api.users import ImportUser, create_by_hash, unfit_hash
from service.crypto import weak_hashes
from service.crypto.weak_hashes import WeakHash
from service.errors import UserExists
from service.http import schemas
from service.http.context import RequestContext
from service.http.fields import Hidden, unfit
from service.http.request_body import read
from service.http.routing import contract, users_write


def _version(text: str) -> str:
    if text not in weak_hashes.SHA:
        raise unfit(f"Value must be one of ({', '.join(weak_hashes.SHA)})")
    return text


@users_write.post("/v1/users/md5")
@contract(takes=ImportUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_md5_user(ctx: RequestContext) -> web.Response:
    """Create a user from an MD5 hash of the password; only an Argon2id hash of it is kept."""
    body = await read(ctx, ImportUser)
    try:
        weak = weak_hashes.read_digest("md5", body.password.reveal())
    except ValueError:
        raise unfit_hash(ctx, "MD5") from None
    return await _create(ctx, body, weak)


class ImportShaUser(ImportUser):
    """Body with a SHA hash in hex; SHA3-512 without `passwordVersion`."""

    passwordVersion: Annotated[  # noqa: N815 - the contract's spelling
        str, AfterValidator(_version), Field(examples=["sha256"])
    ] = "sha3-512"


@users_write.post("/v1/users/sha")
@contract(takes=ImportShaUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_sha_user(ctx: RequestContext) -> web.Response:
    """Create a user from a SHA hash of the password; only an Argon2id hash of it is kept."""
    body = await read(ctx, ImportShaUser)
    try:
        weak = weak_hashes.read_digest(body.passwordVersion, body.password.reveal())
    except ValueError:
        raise unfit_hash(ctx, body.passwordVersion) from None
    return await _create(ctx, body, weak)


@users_write.post("/v1/users/phpass")
@contract(takes=ImportUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_phpass_user(ctx: RequestContext) -> web.Response:
    """Create a user from a portable hash of PHPass; only an Argon2id hash of it is kept."""
    body = await read(ctx, ImportUser)
    try:
        weak = weak_hashes.read_phpass(body.password.reveal())
    except ValueError:
        raise unfit_hash(ctx, "PHPass") from None
    return await _create(ctx, body, weak)


class ImportFirebaseUser(ImportUser):
    """Body with a hash of Firebase, all in base64; its usual cost is 14 and 8."""

    passwordSalt: Hidden  # noqa: N815 - the contract's spelling
    passwordSaltSeparator: Hidden  # noqa: N815 - the contract's spelling
    passwordSignerKey: Hidden  # noqa: N815 - the contract's spelling


@users_write.post("/v1/users/scrypt-modified")
@contract(takes=ImportFirebaseUser, gives=schemas.MANAGED_USER, status=201, raises=(UserExists,))
async def import_firebase_user(ctx: RequestContext) -> web.Response:
    """Create a user from a hash of Firebase, which is a variant of scrypt."""
    body = await read(ctx, ImportFirebaseUser)
    try:
        line = weak_hashes.from_firebase(
            body.password.reveal(),
            salt=body.passwordSalt.reveal(),
            separator=body.passwordSaltSeparator.reveal(),
            signer_key=body.passwordSignerKey.reveal(),
        )
    except ValueError:
        raise unfit_hash(ctx, "scrypt-modified") from None
    return await create_by_hash(ctx, body, line)


async def _create(ctx: RequestContext, body: ImportUser, weak: WeakHash) -> web.Response:
    return await create_by_hash(ctx, body, await ctx.services.passwords.wrap(weak))
