"""Sign-in with a passkey. The authenticator names the user, so nobody types an address, and no answer tells of one."""

from aiohttp import web

from service.accounts import issued_tokens
from service.accounts import passkeys as ceremonies
from service.api.sessions import OpenedSession, open_session
from service.crypto import passkey_ceremonies
from service.crypto.passkey_ceremonies import Assertion, CredentialInvalid, Known
from service.errors import LoginTokenInvalid, MethodDisabled, Overloaded, PasskeyInvalid, TokenInvalid, UserBlocked
from service.http import responses, schemas
from service.http.context import RequestContext
from service.http.fields import Credential as CredentialField
from service.http.fields import UserId
from service.http.request_body import Body, read
from service.http.routing import contract, limited, public
from service.rate_limiter import HOUR
from service.store import events, passkey_challenges, passkeys, token_secrets, tokens, users
from service.store.events import Event
from service.store.passkeys import Credential
from service.store.tokens import Kind, Token
from service.store.users import User

# For one request more, which opens the session.
_TOKEN_SECONDS = 60


@public.post("/v1/account/tokens/passkey")
@limited(50, HOUR, by="ip")
@contract(gives=schemas.PASSKEY_CHALLENGE, status=201, raises=(MethodDisabled, Overloaded))
async def create_passkey_token(ctx: RequestContext) -> web.Response:
    """Begin a sign-in: `publicKey` is for `navigator.credentials.get()`, within five minutes."""
    party = ceremonies.require(ctx)
    await passkey_ceremonies.load()
    begun = await passkey_challenges.begin_sign_in(ctx.pool, ctx.project.id, party=party)
    if begun is None:
        raise Overloaded(retry_after=passkey_challenges.SECONDS)
    options = ceremonies.sign_in_options(begun)
    return responses.json(schemas.PASSKEY_CHALLENGE.render(ctx.api_version, begun, public_key=options), 201)


class UpdatePasskeyToken(Body):
    challengeId: UserId  # noqa: N815 - the contract's spelling
    credential: CredentialField


@public.put("/v1/account/tokens/passkey")
@limited(50, HOUR, by="ip")
@contract(takes=UpdatePasskeyToken, gives=schemas.TOKEN_SECRET, status=201, raises=(TokenInvalid, PasskeyInvalid))
async def update_passkey_token(ctx: RequestContext) -> web.Response:
    """Prove a passkey with what the browser returned, for a token that opens a session within a minute.

    Each answer uses the challenge up, a wrong one too.
    """
    body = await read(ctx, UpdatePasskeyToken)
    begun = await passkey_challenges.use_sign_in(ctx.pool, ctx.project.id, challenge_id=body.challengeId)
    expected = ceremonies.expected(ctx, begun)
    await passkey_ceremonies.load()
    try:
        credential_id = passkey_ceremonies.credential_id(body.credential)
        found = await passkeys.find_credential(ctx.pool, ctx.project.id, credential_id=credential_id)
        known = Known(found.public_key, found.backup_eligible, found.webauthn_handle) if found else None
        assertion = passkey_ceremonies.verify_assertion(body.credential, expected, known)
    except CredentialInvalid:
        raise PasskeyInvalid from None
    if found is None:
        raise PasskeyInvalid
    token, user = await _issue(ctx, found, assertion)
    secret = token_secrets.secret_of(ctx.services.ring, token)
    return responses.json(
        schemas.TOKEN_SECRET.render(ctx.api_version, token, user_id=user.id, secret=secret, phrase=""), 201
    )


async def _issue(ctx: RequestContext, found: Credential, assertion: Assertion) -> tuple[Token, User]:
    """Record the use of a passkey and issue the token. Raises PasskeyInvalid and UserBlocked."""
    async with ctx.unit_of_work() as tx:
        user = await users.lock(tx, ctx.project.id, user_id=found.user_id)
        if user is None:
            raise PasskeyInvalid
        if not await passkeys.use(tx, found, sign_count=assertion.sign_count, backed_up=assertion.backed_up):
            raise PasskeyInvalid
        if user.status == "blocked":
            raise UserBlocked
        token = await issued_tokens.issue_to_user(ctx, tx, kind=Kind.PASSKEY, user=user, seconds=_TOKEN_SECONDS)
        await events.record(tx, ctx.project.id, event=Event.PASSKEY_TOKEN_CREATE, user_id=user.id, by=ctx.client)
    return token, user


async def open_by_passkey(ctx: RequestContext, found: Token) -> OpenedSession:
    """Open a session by the token of a passkey, which counts as two factors. Raises LoginTokenInvalid."""
    async with ctx.unit_of_work() as tx:
        user = await users.lock(tx, ctx.project.id, user_id=found.user_id or "")
        if user is None or await tokens.redeem(tx, found) is None:
            raise LoginTokenInvalid
        if user.status == "blocked":
            raise UserBlocked
        return await open_session(ctx, tx, user, provider="passkey", first_factor="passkey")
