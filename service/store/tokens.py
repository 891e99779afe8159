"""One-time tokens. The row is stored, the secret is derived from it whenever it is needed.

A link's secret names its token (service/crypto/link_secrets.py). So a guess attacks one token, five wrong ones kill
that token alone, and a client can't use up a link that another one asked for. A code names none: it is looked up under
the user id that it was asked for with, and under its own kind only.

Longer than other files: everything that is done with the rows of one table.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from service import ids
from service.crypto import code_secrets, key_derivation, link_secrets
from service.crypto.key_derivation import KeyRing
from service.crypto.link_secrets import Form
from service.crypto.secret import Secret
from service.db import Executor, Queries
from service.store import missed_guesses
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.unit_of_work import UnitOfWork
from service.store.users import User

_sql = Queries("tokens")
Redeemed = TypeVar("Redeemed", bound="Token | None")
# How long what a notice reports can be undone.
UNDO_SECONDS = 72 * 3600


class Kind(StrEnum):
    RECOVERY = "recovery"
    VERIFICATION = "verification"
    MAGIC_URL = "magic_url"
    # A magic link that is approved where it is opened, and signs in the browser that asked for it.
    FIRST_TAB = "first_tab"
    OTP = "otp"
    # Code of an e-mail challenge, which has the token's id.
    MFA_EMAIL = "mfa_email"
    VERIFICATION_OTP = "verification_otp"
    RECOVERY_OTP = "recovery_otp"
    # Made by an app's server for one of its users; mailed to nobody.
    CUSTOM = "custom"
    # Of a user who has signed with a passkey, for the minute until the session; mailed to nobody.
    PASSKEY = "passkey"
    # Of a sign-in by a provider, for the app to open the session with; mailed to nobody.
    OAUTH2 = "oauth2"
    # Codes of SMS. Their tokens have a number in the place of an address, and its version.
    PHONE_LOGIN = "phone_login"
    PHONE_VERIFICATION = "phone_verification"
    MFA_PHONE = "mfa_phone"
    # Scope of a notice's link: undo all changes, or a change of address too.
    ACCOUNT_UNDO = "disavowal"
    EMAIL_UNDO = "email_undo"


# Kinds whose secret is six digits.
OF_PHONES = (Kind.PHONE_LOGIN, Kind.PHONE_VERIFICATION, Kind.MFA_PHONE)
CODES = (Kind.OTP, Kind.VERIFICATION_OTP, Kind.RECOVERY_OTP, Kind.MFA_EMAIL, *OF_PHONES)
# Kinds that sign the owner of an address in. They have no user before they are used.
BY_ADDRESS = (Kind.MAGIC_URL, Kind.FIRST_TAB, Kind.OTP, Kind.PHONE_LOGIN)
_UNOWNED_CODES = frozenset({Kind.OTP, Kind.PHONE_LOGIN})
# Live custom tokens of a user.
CUSTOM_AT_ONCE = 5
_GUESSES = 5
# A recovery's code gives the whole account away.
_GUESSES_OF_RECOVERY_OTP = 3
# A code is compared with so many tokens (the statement says why).
CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Token:
    project_id: str
    id: str
    kind: str
    user_id: str | None
    requested_user_id: str | None
    email: str
    email_version: int | None
    kid: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UndoLink(Token):
    """Token of a notice's link; `proved_by_holder` if its address was proved in the account's session by then.

    None: issued by a release that did not write it down.
    """

    proved_by_holder: bool | None


@dataclass(frozen=True, slots=True)
class Approval:
    """State of a link that is to be approved: approved or not, and whether its time is over."""

    approved: bool
    over: bool


def with_public_id(ring: KeyRing, token: Token) -> Token:
    """Return the token under another id, for an anonymous caller: no guess can be aimed at the row behind it.

    Otherwise the time that a guess takes would tell whether that row is still there, and so whether it was used.
    """
    return replace(token, id=public_id(ring[token.kid], token.id))


def public_id(key: bytes, token_id: str) -> str:
    """Derive 20 hex characters; the key's holder can still tell which row an answer was about."""
    return key_derivation.derive(key, "shown", token_id).hex()[: link_secrets.ID]


def secret_of(ring: KeyRing, token: Token, *, form: Form = "long") -> str:
    """Derive a link's secret, or the six digits of a code; the same for API and worker and for every retry.

    KeyError if the key has been retired.
    """
    if token.kind in CODES:
        return code_of(ring, token).reveal()
    return link_secrets.make(form, ring[token.kid], token.id, *_bound(token))


def custom_secret(ring: KeyRing, token: Token, *, length: int) -> str:
    """Derive the characters of a custom token. KeyError if the key has been retired."""
    return code_secrets.characters(ring[token.kid], length, "custom", str(length), *_bound(token))


def code_of(ring: KeyRing, token: Token) -> Secret:
    """Derive the six digits of a code; another kind, user or address has others. KeyError if the key is retired."""
    bound = (token.project_id, token.id, token.email) if token.kind in _UNOWNED_CODES else _bound(token)
    return Secret(code_secrets.digits(ring[token.kid], token.kind, *bound))


def _bound(token: Token) -> tuple[str, ...]:
    """List what a secret depends on: a token changed by hand has another."""
    owner = (token.user_id or "", token.email, str(token.email_version))
    return (token.kind, token.project_id, token.id, *owner)


def target_id(secret: str) -> str:
    """Return the row at which a guess at a link is aimed, present or not; empty for a code, which names none."""
    if len(secret) <= code_secrets.DIGITS:
        return ""
    return link_secrets.token_id(secret) or secret[: link_secrets.ID]


async def issue(
    conn: Executor,
    project_id: str,
    *,
    kind: Kind,
    email: str,
    kid: str,
    seconds: int,
    user_id: str | None = None,
    requested_user_id: str | None = None,
    email_version: int | None = None,
    token_id: str | None = None,
    secret_length: int | None = None,
) -> Token:
    """Issue a token for the owner of an address; without user_id a worker, or the confirmation, finds that owner.

    `secret_length` is for custom tokens, whose secrets have the length that the app's server asked for.
    """
    token = await _sql.one(
        conn,
        "issue_token",
        Token,
        project_id=project_id,
        id=token_id or ids.new(),
        kind=kind,
        user_id=user_id,
        requested_user_id=requested_user_id,
        email=email,
        email_version=email_version,
        kid=kid,
        seconds=seconds,
        secret_length=secret_length,
    )
    assert token is not None  # noqa: S101 - an insert that returns always has a row
    if isinstance(conn, UnitOfWork):
        conn.committed.issued.append(kind)
    return token


async def assign_user(
    conn: Executor, project_id: str, *, token_id: str, user_id: str, email_version: int
) -> Token | None:
    return await _sql.one(
        conn,
        "assign_token_user",
        Token,
        project_id=project_id,
        id=token_id,
        user_id=user_id,
        email_version=email_version,
    )


async def find_by_secret(
    conn: Executor,
    project_id: str,
    *,
    kind: Kind | tuple[Kind, ...],
    user_id: str | None,
    secret: str,
    ring: KeyRing,
) -> Token | None:
    """Find the live token that this secret opens, or None; the attempt counts either way.

    With `user_id` it has to be that user's. A text that is no secret is refused without a query.
    """
    id_ = link_secrets.token_id(secret)
    if id_ is None:
        return None
    kinds = [kind] if isinstance(kind, Kind) else [*kind]
    facts = {"project_id": project_id, "id": id_, "kinds": kinds, "slot": missed_guesses.pick_slot()}
    token = await _sql.one(conn, "count_attempt", Token, **facts)
    return _opened(token, user_id=user_id, secret=secret, ring=ring)


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
    token = await _sql.one(conn, "find_live_token", Token, project_id=project_id, id=id_, kind=kind)
    return _opened(token, user_id=user_id, secret=secret, ring=ring)


def _opened(token: Token | None, *, user_id: str | None, secret: str, ring: KeyRing) -> Token | None:
    """Return the token if the secret is its own."""
    form, id_ = link_secrets.form_of(secret), link_secrets.token_id(secret)
    if form is None or id_ is None:
        return None
    known = token is not None and token.kid in ring and _is_owner(token, user_id)
    # The same work for a missing token: the time does not tell which part was wrong.
    kid, bound = (token.kid, _bound(token)) if known and token else (key_derivation.current(ring), ())
    expected = link_secrets.make(form, ring[kid], id_, *bound)
    return token if hmac.compare_digest(expected.encode(), secret.encode()) and known else None


def _is_owner(token: Token, user_id: str | None) -> bool:
    owners = {token.user_id, token.requested_user_id} - {None}
    return bool(owners) if user_id is None else user_id in owners


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
        most=_most(kind),
        slot=missed_guesses.pick_slot(),
    )


def match_code(
    candidates: Sequence[Token],
    project_id: str,
    *,
    kind: Kind,
    requested_user_id: str,
    code: str,
    ring: KeyRing,
    fixed: Mapping[str, str] = MappingProxyType({}),
) -> Token | None:
    """Return the token that has this code. Numbers for tests have `fixed` codes, which are in no SMS."""
    found = None
    for token in candidates:
        if token.kid not in ring:
            continue
        known = fixed.get(token.email) if token.kind in OF_PHONES else None
        if hmac.compare_digest((known or _code_of(ring, token, len(code))).encode(), code.encode()):
            found = token
    for _ in range(_most(kind) - len(candidates)):  # the same work for codes that are not there
        key_derivation.derive(ring[key_derivation.current(ring)], kind, project_id, requested_user_id, code)
    return found


def _most(kind: Kind) -> int:
    """Return with how many tokens a code is compared."""
    return CUSTOM_AT_ONCE if kind is Kind.CUSTOM else CANDIDATES


async def find_live(conn: Executor, project_id: str, *, kind: Kind, token_id: str) -> Token | None:
    """Find a live token by its id. Nothing is counted: for a code the caller counts the guesses."""
    return await _sql.one(conn, "find_live_token", Token, project_id=project_id, id=token_id, kind=kind)


def _code_of(ring: KeyRing, token: Token, length: int) -> str:
    return custom_secret(ring, token, length=length) if token.kind == Kind.CUSTOM else secret_of(ring, token)


async def refund_attempt(conn: Executor, token: Token) -> None:
    """Refund the attempt that a right secret cost, after a refusal for another reason."""
    await _sql.run(conn, "refund_attempt", project_id=token.project_id, id=token.id)


async def redeem_by_address(conn: Executor, token: Token) -> Token | None:
    """Redeem a token that signs its address's owner in, or up; None if it has been used or has expired."""
    facts = {"project_id": token.project_id, "id": token.id}
    return _counted(conn, await _sql.one(conn, "redeem_token_by_address", Token, **facts))


async def approve(conn: Executor, token: Token) -> bool:
    """Let the browser that asked for a link sign in; False if it is approved, ended or expired already."""
    return await _sql.run(conn, "approve_token", project_id=token.project_id, id=token.id) == 1


async def end_unapproved(conn: Executor, token: Token) -> bool:
    """End a link for a wrong number; False if it is approved, ended or expired already."""
    return await _sql.run(conn, "end_unapproved_token", project_id=token.project_id, id=token.id) == 1


async def find_approval(conn: Executor, project_id: str, *, token_id: str, ends_at: datetime) -> Approval:
    """Tell whether a link is approved, and whether its time is over; the same work for one that is gone."""
    found = await _sql.one(conn, "find_approval", Approval, project_id=project_id, id=token_id, ends_at=ends_at)
    assert found is not None  # noqa: S101 - an aggregate always has a row
    return found


async def find_approved(conn: Executor, project_id: str, *, token_id: str) -> Token | None:
    return await _sql.one(conn, "find_approved_token", Token, project_id=project_id, id=token_id)


async def redeem(conn: Executor, token: Token) -> Token | None:
    """Redeem a token; None if it has been used, has expired, or the address has changed since. Lock the user first."""
    facts = {"project_id": token.project_id, "id": token.id, "user_id": token.user_id}
    return _counted(conn, await _sql.one(conn, "redeem_token", Token, **facts))


async def redeem_by_number(conn: Executor, token: Token) -> Token | None:
    """Redeem a code for a user's number; None if it has been used, has expired, or the number has changed since."""
    facts = {"project_id": token.project_id, "id": token.id, "user_id": token.user_id}
    return _counted(conn, await _sql.one(conn, "redeem_token_by_number", Token, **facts))


async def redeem_undo_link(conn: Executor, token: Token) -> UndoLink | None:
    """Redeem a notice's link, whatever the user's address is by now. Lock the user first."""
    facts = {"project_id": token.project_id, "id": token.id, "user_id": token.user_id}
    return _counted(conn, await _sql.one(conn, "redeem_undo_link", UndoLink, **facts))


def _counted(conn: Executor, token: Redeemed) -> Redeemed:
    """Return the token, which is counted after COMMIT where there is a unit of work."""
    if token is not None and isinstance(conn, UnitOfWork):
        conn.committed.used.append((token.kind, token.created_at))
    return token


async def delete(conn: Executor, project_id: str, *, token_id: str) -> None:
    await _sql.run(conn, "delete_token", project_id=project_id, id=token_id)


async def revoke_all(conn: Executor, owner: User, *, by_address: bool) -> None:
    """Revoke earlier links and codes after a use, a new password, a new address, a block. Lock the user first.

    `by_address` also ends those that were asked for by the address alone. That is for operators and for members who
    have proved it: who signed up with another person's address must not end what was mailed to its owner.
    Links of notices stay: a thief of the account must not be able to kill its owner's way back.
    """
    asked = [owner.email, owner.phone if owner.phone_verified else None] if by_address else []
    addresses = [address for address in asked if address]
    await _sql.value(conn, "revoke_tokens", project_id=owner.project_id, user_id=owner.id, addresses=addresses)


async def revoke_of_phone(conn: Executor, owner: User) -> None:
    """Revoke the codes for a user's number, as it was before, and all that sign in by it. Lock the user first."""
    facts = {"project_id": owner.project_id, "user_id": owner.id, "phone": owner.phone}
    await _sql.run(conn, "revoke_phone_tokens", **facts)


async def revoke_oldest_custom(conn: Executor, owner: User) -> None:
    """Revoke a user's oldest custom tokens, so that one more may be made. Lock the user first."""
    await _sql.run(
        conn, "revoke_oldest_custom_tokens", project_id=owner.project_id, user_id=owner.id, kept=CUSTOM_AT_ONCE - 1
    )


async def revoke_of_passkeys(conn: Executor, owner: User) -> None:
    """Revoke what passkeys have signed for and no session was opened with yet. Lock the user first."""
    await _sql.run(conn, "revoke_passkey_tokens", project_id=owner.project_id, user_id=owner.id)


async def revoke_undo_links(conn: Executor, owner: User, *, since: datetime | None = None) -> None:
    """Revoke notices' links after an operator has stepped in, or one of them was used. Lock the user first.

    `since` keeps earlier ones: a thief of the account must not end its owner's by using a later one.
    """
    await _sql.run(conn, "revoke_undo_links", project_id=owner.project_id, user_id=owner.id, since=since)


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_tokens", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_tokens", **rows))
