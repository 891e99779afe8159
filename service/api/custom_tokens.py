"""Tokens that an app's server makes for its users: for ways in of the app's own, such as its own messenger."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from service.accounts import user_sign_in
from service.api.sessions import OpenedSession, open_session
from service.api.users import admin_context
from service.crypto import code_secrets, key_derivation
from service.errors import LoginTokenInvalid, UserBlocked, UserNotFound
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import ident, whole
from service.http.request_body import Body, read
from service.http.routing import contract, users_write
from service.rate_limiter import DAY
from service.store import token_secrets, tokens, users
from service.store.tokens import Token

_LENGTH, _SECONDS = 6, 900
_YEAR = 31_536_000


Length = Annotated[
    int, whole(code_secrets.SHORTEST, code_secrets.LONGEST), Field(description="Characters of the secret, 6 if absent")
]
Expire = Annotated[
    int,
    whole(60, _YEAR),
    Field(description="Seconds, 900 if absent; one day at most for a secret of less than 32 characters"),
]


class CreateCustomToken(Body):
    length: Length | None = None
    expire: Expire | None = None


@users_write.post("/v1/users/{userId}/tokens")
@contract(takes=CreateCustomToken, gives=schemas.CUSTOM_TOKEN, status=201, raises=(UserNotFound, UserBlocked))
async def create_custom_token(ctx: RequestContext) -> web.Response:
    """Make a token that signs the user in once, by `POST /v1/account/sessions/token`; its secret is in the answer only.

    A user has five at most: the sixth ends the oldest. Five wrong guesses end one whose secret is shorter than 32
    characters.
    """
    body = await read(ctx, CreateCustomToken)
    length, seconds = body.length or _LENGTH, body.expire or _SECONDS
    if length < code_secrets.UNGUESSABLE:
        seconds = min(seconds, DAY)
    ring = ctx.services.ring
    token = await user_sign_in.create_token(
        admin_context(ctx), ident(ctx, "userId"), kid=key_derivation.current(ring), length=length, seconds=seconds
    )
    secret = token_secrets.custom_secret(ring, token, length=length)
    return responses.json(responses.custom_token(ctx, token, secret=secret), 201)


async def open_by_token(ctx: RequestContext, found: Token) -> OpenedSession:
    """Open a session for the user of a custom token. Raises LoginTokenInvalid, UserBlocked.

    The app vouches for its user: no address is proved, and no other link, code or session ends.
    """
    async with ctx.unit_of_work() as tx:
        user = await users.lock(tx, ctx.project.id, user_id=found.user_id or "")
        token = await tokens.redeem(tx, found)
        if user is None or token is None:
            raise LoginTokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        return await open_session(ctx, tx, user, provider="token", first_factor="token")
