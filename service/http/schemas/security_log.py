"""Entries of the security log."""

from typing import Annotated, Literal

from pydantic import Field

from service.http.schemas.parts import Address, Answer, As, From, Id, Name, Schema, Seconds, Time
from service.http.schemas.sessions import Count, Device, Ip
from service.store.events import Event

_MODERN_EVENTS = {
    Event.ACCOUNT_CREATE: "user.create",
    Event.ACCOUNT_DELETE: "user.delete",
    Event.NAME_UPDATE: "user.update",
    Event.EMAIL_UPDATE: "user.update",
    Event.PASSWORD_UPDATE: "user.update",
    Event.PREFS_UPDATE: "user.update",
    Event.STATUS_UPDATE: "user.update",
    Event.SESSION_UPDATE: "session.update",
    Event.SESSION_CREATE: "session.create",
    Event.SESSION_DELETE: "session.delete",
    Event.RECOVERY_CREATE: "recovery.create",
    Event.RECOVERY_UPDATE: "recovery.update",
    Event.VERIFICATION_CREATE: "verification.create",
    Event.VERIFICATION_UPDATE: "verification.update",
    Event.PHONE_UPDATE: "user.update",
    Event.PHONE_VERIFICATION_CREATE: "verification.create",
    Event.PHONE_VERIFICATION_UPDATE: "verification.update",
    Event.MFA_UPDATE: "user.update",
    Event.AUTHENTICATOR_CREATE: "user.update",
    Event.AUTHENTICATOR_DELETE: "user.update",
    Event.RECOVERY_CODES_CREATE: "user.update",
    Event.IDENTITY_CREATE: "identity.create",
    Event.IDENTITY_DELETE: "identity.delete",
    Event.CHALLENGE_CREATE: "challenge.create",
    Event.CHALLENGE_UPDATE: "challenges.update",
    Event.CHALLENGE_FAILED: "challenge.failed",
    Event.PASSKEY_CREATE: "passkey.create",
    Event.PASSKEY_UPDATE: "passkey.update",
    Event.PASSKEY_DELETE: "passkey.delete",
    Event.PASSKEY_TOKEN_CREATE: "passkey.token.create",
    Event.TARGET_CREATE: "target.create",
    Event.TARGET_UPDATE: "target.update",
    Event.TARGET_DELETE: "target.delete",
    Event.DISAVOWAL: "user.disavowal",
    Event.BY_OPERATOR_CREATE: "user.create",
    Event.ACCOUNT_END: "user.delete",
    Event.BY_OPERATOR_DELETE: "user.delete",
    Event.BY_OPERATOR_NAME: "user.update",
    Event.BY_OPERATOR_EMAIL: "user.update",
    Event.BY_OPERATOR_PASSWORD: "user.update",
    Event.BY_OPERATOR_PREFS: "user.update",
    Event.BY_OPERATOR_LABELS: "user.update",
    Event.BY_OPERATOR_STATUS: "user.update",
    Event.BY_OPERATOR_VERIFICATION: "user.update",
    Event.BY_OPERATOR_SESSIONS: "session.delete",
    Event.BY_OPERATOR_PHONE: "user.update",
    Event.BY_OPERATOR_PHONE_VERIFICATION: "user.update",
    Event.BY_OPERATOR_MFA: "user.update",
    Event.BY_OPERATOR_IDENTITY: "identity.delete",
    Event.BY_OPERATOR_CHALLENGE: "challenge.read",
    Event.BY_OPERATOR_SESSION_CREATE: "session.create",
    Event.BY_OPERATOR_TOKEN: "tokens.create",
    Event.BY_OPERATOR_PASSKEY_UPDATE: "passkey.update",
    Event.BY_OPERATOR_PASSKEY_DELETE: "passkey.delete",
    Event.BY_OPERATOR_TARGET_CREATE: "target.create",
    Event.BY_OPERATOR_TARGET_UPDATE: "target.update",
    Event.BY_OPERATOR_TARGET_DELETE: "target.delete",
}
# Names in the log for an actor with an API key or on the command line.
_OPERATOR = "keyProject"


class LogLegacy(Device):
    event: Annotated[str, Field(examples=["account.sessions.create"]), From("name")]
    ip: Ip
    time: Annotated[Seconds, From("at")]


class Log(Device):
    event: Annotated[
        str,
        Field(examples=["session.create"]),
        From("name"),
        As(lambda _version, name: _MODERN_EVENTS.get(Event(name), name)),
    ]
    user_id: Id
    user_email: Address
    user_name: Name
    mode: Literal["default"]
    user_type: Annotated[
        str,
        Field(examples=["user"]),
        From("name"),
        As(lambda _version, name: _OPERATOR if name.startswith("users.") else "user"),
    ]
    ip: Ip
    time: Annotated[Time, From("at")]


class LogListLegacy(Answer):
    logs: list[LogLegacy]


class LogListBetween(Answer):
    """A list of log entries in formats from 0.12 to below 0.13."""

    sum: Count
    logs: list[Log]


class LogList(Answer):
    total: Count
    logs: list[Log]


LOG = Schema(Log, (LogLegacy,))
LOG_LIST = Schema(LogList, (LogListLegacy, LogListBetween))
