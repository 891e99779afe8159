"""Acts of one statement: what belongs together is written by data-modifying CTEs or by a function, in one round trip.

Each names its act, whose row tells the outcome if the answer is lost. Jobs are named before the statement is run.
"""

from dataclasses import dataclass
from typing import Any

from service import ids
from service.crypto import key_derivation
from service.db import Act, Queries
from service.errors import UserExists
from service.store import events, outbox, sessions
from service.store.events import Actor, Event
from service.store.members import Member
from service.store.rate_limit_windows import Deferred
from service.store.sessions import ClientInfo, Session
from service.store.tokens import CountedToken, Kind, Token
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

_sql = Queries("account_acts")


@dataclass(frozen=True, slots=True)
class MailedToken:
    """Token to issue, and the letter that carries it, as far as the request knows it; no secret in `facts`."""

    id: str
    kind: Kind
    requested_user_id: str | None
    kid: str
    seconds: int
    letter: str
    locale: str
    facts: dict[str, Any]
    sender: str
    invitation_id: str | None = None


@dataclass(frozen=True, slots=True)
class MemberToken(CountedToken):
    """Member as found under the lock, None if the session has ended, and the token."""

    status: str | None
    address: str | None
    verified: bool | None


@dataclass(frozen=True, slots=True)
class SignedIn(Session):
    """Session that was opened with the password; `email_verified` as it was then."""

    email_verified: bool


async def mail_token(
    tx: UnitOfWork, act: Act, *, token: MailedToken, email: str, event: Event | None, by: Actor, deferred: Deferred
) -> Token:
    """Issue a token for an address, whoever has it, and enqueue its mail.

    An event waits for the worker to find the user. The same rows are written for every address. Raises TooManyRequests
    as `deferred` does.
    """
    found = await _sql.one(
        tx, "mail_token", CountedToken, windows=deferred.windows, **_act(act), email=email,
        invitation_id=token.invitation_id, **_mailed(tx, token), **events.facts(event, by),
    )  # fmt: skip
    assert found is not None  # noqa: S101 - the function always returns a row
    deferred.settle(found)
    issued = found.token
    assert issued is not None  # noqa: S101 - what is not refused is issued
    _count_mailed(tx, token)
    return issued


async def mail_token_to_member(
    tx: UnitOfWork, act: Act, *, token: MailedToken, member: Member, refuse_verified: bool, event: Event, by: Actor,
    deferred: Deferred,
) -> MemberToken:  # fmt: skip
    """Issue a token to a member and enqueue its mail.

    Nothing is written where the session has ended, the member was blocked or the address is another one by now, or a
    proved one that is to be refused. Raises TooManyRequests as `deferred` does.
    """
    facts = {"user_id": member.id, "session_id": member.session_id, "email": member.email}
    recorded = events.facts_to_file(tx, event, by)
    found = await _sql.one(
        tx, "mail_token_to_member", MemberToken, windows=deferred.windows, **_act(act), **facts,
        refuse_verified=refuse_verified, **_mailed(tx, token), **recorded,
    )  # fmt: skip
    assert found is not None  # noqa: S101 - the function always returns a row
    deferred.settle(found)
    if found.token is not None:
        _count_mailed(tx, token)
    return found


async def create_account(
    tx: UnitOfWork, act: Act, *, user_id: str, email: str, name: str, password_hash: str, event: Event, by: Actor
) -> User:
    """Create an account. Raises UserExists as `users.create` does."""
    facts = {"id": user_id, "email": email, "name": name, "password_hash": password_hash}
    recorded = events.facts_to_file(tx, event, by)
    user = await _sql.one(tx, "create_account", User, **_act(act), **facts, **recorded)
    if user is None:
        raise UserExists
    return user


async def sign_in(
    tx: UnitOfWork,
    act: Act,
    *,
    user: User,
    rehashed: str | None,
    session_id: str,
    secret: str,
    place: ClientInfo,
    seconds: int,
    notice: MailedToken | None,
    event: Event,
    by: Actor,
) -> SignedIn | None:
    """Open a session for the user whose password was right; `rehashed` is its hash under today's parameters.

    A notice goes to an address that is proved. None if the user was blocked or the password changed meanwhile.
    """
    recorded = events.facts_to_file(tx, event, by)
    signed_in = await _sql.one(
        tx,
        "sign_in",
        SignedIn,
        **_act(act),
        user_id=user.id,
        password_updated_at=user.password_updated_at,
        earlier_hash=user.password_hash,
        password_hash=rehashed,
        id=session_id,
        secret_hash=key_derivation.digest(secret),
        country_code=place.country_code,
        device=sessions.device_lines(place),
        seconds=seconds,
        **_notice(tx, notice),
        **recorded,
    )
    if notice and signed_in and signed_in.email_verified:
        _count_mailed(tx, notice)
    return signed_in


async def recover_account(
    tx: UnitOfWork, act: Act, *, token: Token, password_hash: str, kept: int, notice: MailedToken,
    counts_passkeys: bool, event: Event, by: Actor,
) -> Token | None:  # fmt: skip
    """Use a recovery's token up: set the password, prove the address, end sessions and tokens, enqueue the notice.

    What was added before the address was proved by its holder goes too. So many of the last passwords are remembered.
    None if the token has been used or has expired, the address has changed since, or the user is blocked.
    """
    recorded = events.facts_to_file(tx, event, by)
    used = await _sql.one(
        tx,
        "recover_account",
        Token,
        **_act(act),
        user_id=token.user_id,
        token_id=token.id,
        password_hash=password_hash,
        kept=kept,
        counts_passkeys=counts_passkeys,
        **_notice(tx, notice),
        **recorded,
    )
    if used is not None:
        tx.committed.used.append((used.kind, used.created_at))
        _count_mailed(tx, notice)
    return used


def _act(act: Act) -> dict[str, Any]:
    return {"act": act.id, "project_id": act.project_id}


def _mailed(tx: UnitOfWork, token: MailedToken) -> dict[str, Any]:
    mail_id = ids.new_uuid()
    tx.mails.append(mail_id)
    return {
        "token_id": token.id, "kind": token.kind, "requested_user_id": token.requested_user_id, "kid": token.kid,
        "seconds": token.seconds, "mail_id": mail_id, "letter": token.letter, "locale": token.locale,
        "facts": token.facts, "message_id": outbox.message_id(mail_id, token.sender),
    }  # fmt: skip


def _notice(tx: UnitOfWork, token: MailedToken | None) -> dict[str, Any]:
    """Return the parameters of a notice with its link, which are None where there is none."""
    facts = _mailed(tx, token) if token else {}
    shared = ("kid", "mail_id", "letter", "locale", "facts", "message_id")
    named = {"notice_id": facts.get("token_id"), "undo_seconds": facts.get("seconds")}
    return named | {name: facts.get(name) for name in shared}


def _count_mailed(tx: UnitOfWork, token: MailedToken) -> None:
    """Have a token that was issued, and its letter, counted after COMMIT."""
    tx.committed.issued.append(token.kind)
    tx.committed.letters.append(token.letter)
