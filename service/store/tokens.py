"""One-time tokens. The row is stored, the secret is derived from it whenever it is needed (token_secrets.py)."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import TypeVar

from service import ids
from service.db import Executor, Queries
from service.store.project_rows import ProjectRows, delete_by_project
from service.store.unit_of_work import UnitOfWork

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


OF_PHONES = (Kind.PHONE_LOGIN, Kind.PHONE_VERIFICATION, Kind.MFA_PHONE)
# Kinds whose secret is six digits.
CODES = (Kind.OTP, Kind.VERIFICATION_OTP, Kind.RECOVERY_OTP, Kind.MFA_EMAIL, *OF_PHONES)
# Kinds that sign the owner of an address in. They have no user before they are used.
BY_ADDRESS = (Kind.MAGIC_URL, Kind.FIRST_TAB, Kind.OTP, Kind.PHONE_LOGIN)
# Live custom tokens of a user.
CUSTOM_AT_ONCE = 5


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


_fields_of = attrgetter(*(each.name for each in fields(Token)))


@dataclass(frozen=True, slots=True)
class CountedToken:
    """Token of a statement that counts the call first (rate_limit_windows.py); its fields are None if it has none."""

    project_id: str | None
    id: str | None
    kind: str | None
    user_id: str | None
    requested_user_id: str | None
    email: str | None
    email_version: int | None
    kid: str | None
    created_at: datetime | None
    expires_at: datetime | None
    usages: str | None
    counted_at: datetime | None
    refused: int | None

    @property
    def token(self) -> Token | None:
        return None if self.id is None else Token(*_fields_of(self))


@dataclass(frozen=True, slots=True)
class UndoLink(Token):
    """Token of a notice's link; `proved_by_holder` if its address was proved in the account's session by then.

    None: issued by a release that did not write it down.
    """

    proved_by_holder: bool | None


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


async def redeem_by_address(conn: Executor, token: Token) -> Token | None:
    """Redeem a token that signs its address's owner in, or up; None if it has been used or has expired."""
    facts = {"project_id": token.project_id, "id": token.id}
    return _counted(conn, await _sql.one(conn, "redeem_token_by_address", Token, **facts))


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


async def delete_expired(conn: Executor, *, most: int) -> int:
    found = await _sql.all(conn, "list_expired_tokens", ProjectRows, most=most)
    return await delete_by_project(found, lambda **rows: _sql.run(conn, "delete_expired_tokens", **rows))
