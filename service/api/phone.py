"""Phone numbers: SDKs since 0.15 call these routes, and learn that this server sends no SMS."""

from aiohttp import web

from service.api.users import find_or_raise
from service.errors import PhoneDisabled, UserNotFound
from service.http.context import RequestContext
from service.http.routing import contract, member, public, users_write


@public.post("/v1/account/tokens/phone", "/v1/account/sessions/phone")
@contract(refuses=PhoneDisabled)
async def create_phone_token(_call: RequestContext) -> web.Response:
    """Refuse to send a code that signs in."""
    raise PhoneDisabled


@public.put("/v1/account/sessions/phone")
@contract(refuses=PhoneDisabled)
async def update_phone_session(_call: RequestContext) -> web.Response:
    """Refuse to sign in with that code."""
    raise PhoneDisabled


@member.patch("/v1/account/phone")
@contract(refuses=PhoneDisabled)
async def update_phone(_call: RequestContext) -> web.Response:
    """Refuse to set the member's number."""
    raise PhoneDisabled


@member.post("/v1/account/verifications/phone", "/v1/account/verification/phone")
@contract(refuses=PhoneDisabled)
async def create_phone_verification(_call: RequestContext) -> web.Response:
    """Refuse to send a code that proves the number."""
    raise PhoneDisabled


@public.put("/v1/account/verifications/phone", "/v1/account/verification/phone")
@contract(refuses=PhoneDisabled)
async def update_phone_verification(_call: RequestContext) -> web.Response:
    """Refuse to prove the number."""
    raise PhoneDisabled


@users_write.patch("/v1/users/{userId}/phone")
@contract(raises=(UserNotFound,), refuses=PhoneDisabled)
async def update_user_phone(ctx: RequestContext) -> web.Response:
    """Refuse to set a user's number."""
    await find_or_raise(ctx)
    raise PhoneDisabled


@users_write.patch("/v1/users/{userId}/verification/phone")
@contract(raises=(UserNotFound,), refuses=PhoneDisabled)
async def update_user_phone_verification(ctx: RequestContext) -> web.Response:
    """Refuse to mark a user's number as proved."""
    await find_or_raise(ctx)
    raise PhoneDisabled
