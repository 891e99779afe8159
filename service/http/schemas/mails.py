"""Mails, for the member they were sent to."""

from typing import Annotated, Literal

from pydantic import Field

from service.http.schemas.parts import Answer, As, From, Id, Schema, Time
from service.http.schemas.sessions import Count
from service.store import outbox_admin

_REASONS = """Why: `delayed` (its next try comes by itself) and `mailbox_full` while it is pending; `address_refused`,
`mailbox_full`, `mail_refused` (the mail server took the address, but not this mail) and `not_possible` (a fault of this
service) where it failed; `mailbox_full` or `expired` (it could not be sent while it was of use) where it expired;
`mailbox_refuses` where it was sent and came back, or was reported as spam, and where it is suppressed since an earlier
one was"""


class Mail(Answer):
    """A mail. Apps decide by `state` and `reason`; the mail server's own text is for operators alone."""

    id: Annotated[
        Id,
        Field(alias="$id", examples=["0198c0de-0000-7000-8000-000000000000"]),
        As(lambda _version, mail_id: str(mail_id)),
    ]
    created_at: Annotated[Time, Field(alias="$createdAt", description="When it was asked for")]
    updated_at: Annotated[
        Time, Field(alias="$updatedAt", description="When it was sent, given up, or last tried"), From("changed_at")
    ]
    kind: Annotated[
        str,
        Field(
            description="recovery, otp_recovery, verification, otp_verification, magic_url, otp, email_changed",
            examples=["recovery"],
        ),
        From("letter"),
    ]
    recipient: Annotated[
        str,
        Field(description="As much as its owner knows it by", examples=["a…@example.com"]),
        As(lambda _version, address: outbox_admin.mask_address(address)),
    ]
    state: Annotated[
        Literal["pending", "sent", "failed", "expired", "cancelled", "suppressed"],
        Field(description="`sent`: a mail server took it", examples=["sent"]),
        # A lease is the workers' affair: a mail that is being sent still pends.
        As(lambda _version, state: "pending" if state == "sending" else state),
    ]
    reason: Annotated[
        Literal[
            "",
            "delayed",
            "mailbox_full",
            "address_refused",
            "mail_refused",
            "not_possible",
            "expired",
            "mailbox_refuses",
        ],
        Field(description=_REASONS.replace("\n", " "), examples=[""]),
    ]


class MailListLegacy(Answer):
    """A list of mails, with `sum` up to format 0.12."""

    sum: Count
    mails: list[Mail]


class MailList(Answer):
    total: Count
    mails: list[Mail]


MAIL = Schema(Mail)
MAIL_LIST = Schema(MailList, (MailListLegacy,))
