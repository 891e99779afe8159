"""Ways in that an app's server makes for one of its users: tokens, sessions, and what a JWT stands for.

They prove no address: the app vouches for its user. Nothing here depends on the web stack.
"""

from service.accounts.user_admin import AdminContext, finish, lock
from service.clientinfo import countries, user_agents
from service.errors import SessionNotFound, UserBlocked, UserNotFound
from service.store import sessions, token_revocations, tokens, users
from service.store.events import Event
from service.store.sessions import ClientInfo, Session
from service.store.tokens import Kind, Token
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

# A user's newest session, in the place of a session's id.
RECENT = "recent"
# A session that is opened for a JWT lasts so many seconds longer, so that the next JWTs can stand for it too.
_SPARE = 3600


async def create_token(operator: AdminContext, user_id: str, *, kid: str, length: int, seconds: int) -> Token:
    """Create a token that signs the user in, once. It is in no mail. Raises UserNotFound, UserBlocked.

    The oldest ends where a user has as many as there may be.
    """
    async with operator.unit_of_work() as tx:
        user = await _lock_unblocked(operator, tx, user_id)
        await token_revocations.revoke_oldest_custom(tx, user)
        token = await tokens.issue(
            tx,
            operator.project_id,
            kind=Kind.CUSTOM,
            user_id=user.id,
            requested_user_id=user.id,
            email=user.email or "",  # whose known devices are spared where wrong codes are braked
            kid=kid,
            seconds=seconds,
            secret_length=length,
        )
        await finish(operator, tx, user, Event.BY_OPERATOR_TOKEN)
    return token


async def open_session(operator: AdminContext, user_id: str, *, seconds: int) -> tuple[Session, str]:
    """Open a session and return it with its secret; its device is the operator's. Raises UserNotFound, UserBlocked."""
    by = operator.by
    place = ClientInfo(by.ip, countries.code(by.ip), user_agents.parse(by.user_agent), by.user_agent)
    async with operator.unit_of_work() as tx:
        user = await _lock_unblocked(operator, tx, user_id)
        session, secret = await sessions.open_session(
            tx, user, provider="server", provider_uid="", place=place, seconds=seconds, first_factor="server",
            event=Event.BY_OPERATOR_SESSION_CREATE,
        )  # fmt: skip
    return session, secret


async def session_for_jwt(operator: AdminContext, user_id: str, *, session_id: str, seconds: int) -> Session:
    """Return the session that a JWT of so many seconds is to stand for.

    RECENT is the newest that lasts as long as the JWT. Without one a session is opened for it: so every JWT has a
    session, and whatever ends a user's sessions ends the user's JWTs. Raises UserNotFound, UserBlocked,
    SessionNotFound.
    """
    user = await users.find(operator.pool, operator.project_id, user_id=user_id)
    if user is None:
        raise UserNotFound
    if user.status == "blocked":
        raise UserBlocked
    if session_id != RECENT:
        named = await sessions.find(operator.pool, user, session_id=session_id)
        if named is None:
            raise SessionNotFound
        return named
    lasting = await sessions.find_lasting(operator.pool, user, seconds=seconds)
    if lasting is not None:
        return lasting
    opened, _ = await open_session(operator, user_id, seconds=seconds + _SPARE)
    return opened


async def _lock_unblocked(operator: AdminContext, tx: UnitOfWork, user_id: str) -> User:
    user = await lock(operator, tx, user_id)
    if user.status == "blocked":
        raise UserBlocked
    return user
