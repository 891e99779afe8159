"""Recovery codes of the member, for a second factor that is lost."""

from aiohttp import web

from service.accounts import factors, members
from service.crypto import recovery_codes as codes
from service.crypto.password_hashing import PasswordHashPool
from service.crypto.secret import Secret
from service.errors import RecoveryCodesExist, RecoveryCodesNotFound
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.routing import contract, limited, member, requires
from service.rate_limiter import HOUR
from service.store import recovery_codes
from service.store.events import Event

SHOWN_ONCE = "Recovery codes are shown once, when they are made."


async def hash_all(passwords: PasswordHashPool, made: list[Secret]) -> list[str]:
    """Hash codes together. Raises Overloaded."""
    return await passwords.hash_codes([code.reveal() for code in made])


@member.post("/v1/account/mfa/recovery-codes")
@requires("fresh_if_mfa")
@limited(10, HOUR, by="user")
@contract(gives=schemas.MFA_RECOVERY_CODES, status=201, raises=(RecoveryCodesExist,))
async def create_mfa_recovery_codes(ctx: RequestContext) -> web.Response:
    """Make ten codes, each for one use. They are shown this once."""
    if await recovery_codes.count(ctx.pool, ctx.member):
        raise RecoveryCodesExist
    return await _replace(ctx, had=False, status=201)


@member.patch("/v1/account/mfa/recovery-codes")
@requires("fresh")
@limited(10, HOUR, by="user")
@contract(gives=schemas.MFA_RECOVERY_CODES, raises=(RecoveryCodesNotFound,))
async def update_mfa_recovery_codes(ctx: RequestContext) -> web.Response:
    """Make ten new codes in the place of the earlier ones, which work no more."""
    if not await recovery_codes.count(ctx.pool, ctx.member):
        raise RecoveryCodesNotFound
    return await _replace(ctx, had=True, status=200)


@member.get("/v1/account/mfa/recovery-codes")
@requires("fresh")
@contract(refuses=RecoveryCodesNotFound)
async def get_mfa_recovery_codes(_ctx: RequestContext) -> web.Response:
    """Refuse: only hashes of the codes are kept."""
    raise RecoveryCodesNotFound(SHOWN_ONCE)


async def _replace(ctx: RequestContext, *, had: bool, status: int) -> web.Response:
    """Make a new set, unless another request has made or used one up meanwhile."""
    made = codes.generate()
    hashes = await hash_all(ctx.services.passwords, made)
    async with ctx.unit_of_work() as tx:
        user = await members.lock(ctx, tx)
        if bool(await recovery_codes.count(tx, user)) != had:
            raise RecoveryCodesNotFound if had else RecoveryCodesExist
        await recovery_codes.replace(tx, user, hashes=hashes)
        await factors.record_change(ctx, tx, user, Event.RECOVERY_CODES_CREATE, "recovery_codes_made")
    return responses.json({"recoveryCodes": [codes.shown(code) for code in made]}, status)
