"""JWTs by which a server calls in the member's name."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from service.crypto.jwts import LIFETIME, LONGEST
from service.errors import JwtDenied
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import whole
from service.http.request_body import Body, read
from service.http.routing import contract, limited, member
from service.rate_limiter import HOUR


class CreateJwt(Body):
    duration: Annotated[int, whole(1, LONGEST), Field(description="Seconds, 900 if absent")] | None = None


@member.post("/v1/account/jwt", "/v1/account/jwts")
@limited(10, HOUR, by="user")
@contract(takes=CreateJwt, gives=schemas.JWT, status=201, raises=(JwtDenied,))
async def create_jwt(ctx: RequestContext) -> web.Response:
    """Create a JWT that stands for this session for 15 minutes and dies with it."""
    if ctx.by_jwt:
        raise JwtDenied
    body = await read(ctx, CreateJwt)
    seconds = LIFETIME if body.duration is None else body.duration
    token = ctx.services.jwts.sign(
        ctx.project.id, user_id=ctx.member.id, session_id=ctx.member.session_id, seconds=seconds
    )
    return responses.json({"jwt": token}, 201)
