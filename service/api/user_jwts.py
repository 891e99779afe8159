"""JWTs by which an app's server calls in the name of one of its users."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from service.accounts import user_sign_in
from service.api.users import admin_context
from service.crypto.jwts import LIFETIME, LONGEST
from service.errors import SessionNotFound, UserBlocked, UserNotFound
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import SessionId, ident, whole
from service.http.request_body import Body, read
from service.http.routing import contract, users_write


class CreateUserJwt(Body):
    sessionId: (  # noqa: N815 - the contract's spelling
        Annotated[
            SessionId,
            Field(description="`recent`, or absent: the newest that lasts as long as the JWT", examples=["recent"]),
        ]
        | None
    ) = None
    duration: Annotated[int, whole(1, LONGEST), Field(description="Seconds, 900 if absent")] | None = None


@users_write.post("/v1/users/{userId}/jwts")
@contract(takes=CreateUserJwt, gives=schemas.JWT, status=201, raises=(UserNotFound, UserBlocked, SessionNotFound))
async def create_user_jwt(ctx: RequestContext) -> web.Response:
    """Create a JWT that stands for one of the user's sessions, and dies with it.

    For a user without a session one is opened, which nobody else holds and which a list of sessions shows.
    """
    body = await read(ctx, CreateUserJwt)
    seconds = LIFETIME if body.duration is None else body.duration
    session = await user_sign_in.session_for_jwt(
        admin_context(ctx), ident(ctx, "userId"), session_id=body.sessionId or user_sign_in.RECENT, seconds=seconds
    )
    token = ctx.services.jwts.sign(ctx.project.id, user_id=session.user_id, session_id=session.id, seconds=seconds)
    return responses.json({"jwt": token}, 201)
