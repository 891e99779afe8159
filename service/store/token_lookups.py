"""Live tokens found by what a client presents. Each guess is counted before the secret is compared.

A link's secret names its token. A code is looked up under the user id that it was asked for with, and under its own
kind only.
"""

from service.crypto import link_secrets
from service.crypto.key_derivation import KeyRing
from service.db import Executor, Queries
from service.store import missed_guesses, token_secrets
from service.store.rate_limit_windows import Deferred
from service.store.tokens import CountedToken, Kind, Token

_sql = Queries("token_lookups")
_GUESSES = 5
# A recovery's code gives the whole account away.
_GUESSES_OF_RECOVERY_OTP = 3


async def find_by_secret(
    conn: Executor,
    project_id: str,
    *,
    kind: Kind | tuple[Kind, ...],
    user_id: str | None,
    secret: str,
    ring: KeyRing,
    deferred: Deferred | None = None,
) -> Token | None:
    """Find the live token that this secret opens, or None; the attempt counts either way.

    With `user_id` it has to be that user's. A text that is no secret is refused without a query. Raises TooManyRequests
    as `deferred` does.
    """
    id_ = link_secrets.token_id(secret)
    if id_ is None:
        return None
    kinds = [kind] if isinstance(kind, Kind) else [*kind]
    facts = {"project_id": project_id, "id": id_, "kinds": kinds, "slot": missed_guesses.pick_slot()}
    found = await _sql.one(conn, "count_attempt", CountedToken, windows=deferred and deferred.windows, **facts)
    assert found is not None  # noqa: S101 - the function always returns a row
    if deferred:
        deferred.settle(found)
    return token_secrets.match_link(found.token, user_id=user_id, secret=secret, ring=ring)


async def find_unused(
    conn: Executor, project_id: str, *, kind: Kind, user_id: str | None, secret: str, ring: KeyRing
) -> Token | None:
    """Find the live token that a link's secret opens, as `find_by_secret` does; nothing is counted or written.

    For pages that only show something: who looks at a link, a mail scanner too, uses nothing of it up. Guesses need no
    count here, because the proof in a link's secret has at least 136 bits. Never for codes.
    """
    id_ = link_secrets.token_id(secret)
    if id_ is None:
        return None
    token = await find_live(conn, project_id, kind=kind, token_id=id_)
    return token_secrets.match_link(token, user_id=user_id, secret=secret, ring=ring)


async def count_code_attempts(
    conn: Executor, project_id: str, *, kind: Kind, requested_user_id: str, length: int
) -> list[Token]:
    """Count a guess for each live code of this kind that it may be meant for, and return their tokens."""
    return await _sql.all(
        conn,
        "count_code_attempts",
        Token,
        project_id=project_id,
        requested_user_id=requested_user_id,
        kind=kind,
        length=length,
        guesses=_GUESSES_OF_RECOVERY_OTP if kind is Kind.RECOVERY_OTP else _GUESSES,
        most=token_secrets.most_candidates(kind),
        slot=missed_guesses.pick_slot(),
    )


async def find_live(conn: Executor, project_id: str, *, kind: Kind, token_id: str) -> Token | None:
    """Find a live token by its id. Nothing is counted: for a code the caller counts the guesses."""
    return await _sql.one(conn, "find_live_token", Token, project_id=project_id, id=token_id, kind=kind)


async def refund_attempt(conn: Executor, token: Token) -> None:
    """Refund the attempt that a right secret cost, after a refusal for another reason."""
    await _sql.run(conn, "refund_attempt", project_id=token.project_id, id=token.id)
