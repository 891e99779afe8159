"""JWTs by which a server calls in the member's name."""

from aiohttp import web

from service.crypto.jwts import LIFETIME
from service.errors import ArgumentInvalid, JwtDenied
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member
from service.rate_limiter import HOUR

_LONGEST = 3600


class CreateJwt(Body):
    duration: int | None = None


@member.post("/v1/account/jwt", "/v1/account/jwts")
@limited(10, HOUR, by="user")
@contract(takes=CreateJwt, gives=schemas.JWT, status=201, raises=(JwtDenied,))
async def create_jwt(ctx: RequestContext) -> web.Response:
    """Create a JWT that stands for this session for 15 minutes and dies with it."""
    if ctx.by_jwt:
        raise JwtDenied
    body = await read(ctx, CreateJwt)
    seconds = LIFETIME if body.duration is None else body.duration
    if not 1 <= seconds <= _LONGEST:
        raise ArgumentInvalid(f"Invalid `duration` param: Value must be between 1 and {_LONGEST}")
    token = ctx.services.jwts.sign(
        ctx.project.id, user_id=ctx.member.id, session_id=ctx.member.session_id, seconds=seconds
    )
    return responses.json({"jwt": token}, 201)
