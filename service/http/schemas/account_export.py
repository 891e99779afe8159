"""Everything that is kept about an account, as one document for its owner."""

from typing import Annotated, Literal

from pydantic import Field

from service.http.schemas.identities import Identity
from service.http.schemas.mails import Mail
from service.http.schemas.mfa import MfaFactors
from service.http.schemas.parts import Answer, As, From, Id, Iso, Schema, Time
from service.http.schemas.passkeys import Passkey
from service.http.schemas.security_log import Log
from service.http.schemas.sessions import Session
from service.http.schemas.users import User


class ExportedSms(Answer):
    """An SMS that was sent for the account, without its text."""

    id: Annotated[
        Id,
        Field(alias="$id", examples=["0198c0de-0000-7000-8000-000000000000"]),
        As(lambda _version, sms_id: str(sms_id)),
    ]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt"), From("changed_at")]
    kind: Annotated[str, Field(description="phone_login, phone_verification, mfa_phone", examples=["mfa_phone"])]
    recipient: Annotated[str, Field(examples=["+4915112345678"])]
    state: Annotated[
        Literal["pending", "sent", "failed", "expired", "cancelled"],
        Field(examples=["sent"]),
        As(lambda _version, state: "pending" if state == "sending" else state),
    ]


class AccountExport(Answer):
    """Everything that is kept about an account, in the modern form. It holds no secret and no hash."""

    exported_at: Iso
    project_id: Id
    account: Annotated[User, Field(description="With preferences and targets")]
    factors: MfaFactors
    sessions: list[Session]
    identities: list[Identity]
    passkeys: list[Passkey]
    mails: list[Mail]
    sms: list[ExportedSms]
    logs: Annotated[list[Log], Field(description="The security log, newest entry first, for as long as it is kept")]


EXPORTED_SMS, ACCOUNT_EXPORT = Schema(ExportedSms), Schema(AccountExport)
