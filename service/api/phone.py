"""Phone numbers: today's SDKs ask for them, and are told that this server sends no SMS (contract.md 2.21)."""

from aiohttp import web

from service.api.calls import Call
from service.api.routes import contract, member, public
from service.errors import PhoneDisabled, RouteNotFound


@public.post("/v1/account/tokens/phone")
@contract(raises=(PhoneDisabled,))
async def create_phone_token(_call: Call) -> web.Response:
    """Would send a code that signs in."""
    raise PhoneDisabled


@public.put("/v1/account/sessions/phone")
@contract(raises=(PhoneDisabled,))
async def update_phone_session(_call: Call) -> web.Response:
    """Would sign in with that code."""
    raise PhoneDisabled


@member.patch("/v1/account/phone")
@contract(raises=(PhoneDisabled,))
async def update_phone(_call: Call) -> web.Response:
    """Would set the member's number."""
    raise PhoneDisabled


@member.post("/v1/account/verifications/phone", "/v1/account/verification/phone")
@contract(raises=(PhoneDisabled,))
async def create_phone_verification(_call: Call) -> web.Response:
    """Would send a code that proves the number."""
    raise PhoneDisabled


@public.put("/v1/account/verifications/phone", "/v1/account/verification/phone")
@contract(raises=(PhoneDisabled,))
async def update_phone_verification(_call: Call) -> web.Response:
    """Would prove the number."""
    raise PhoneDisabled


@public.post("/v1/account/sessions/id-token")
@contract(raises=(RouteNotFound,))
async def create_id_token_session(_call: Call) -> web.Response:
    """A route of SDKs that are ahead of this service: not one of /v1/account/sessions/{sessionId}."""
    raise RouteNotFound
