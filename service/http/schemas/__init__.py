"""Schemas of responses, in both renderings, for the API document.

Users, sessions, tokens, mails and entries of the security log are rendered by them too (`Schema.render`), without
validation, so that no response pays for it.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel

from service.http.schemas.account_export import ACCOUNT_EXPORT
from service.http.schemas.empty_lists import CONSENT_LIST, MEMBERSHIP_LIST
from service.http.schemas.events import EVENT_LIST
from service.http.schemas.identities import IDENTITY, IDENTITY_LIST
from service.http.schemas.invitations import INVITATION, INVITATION_LIST
from service.http.schemas.mails import MAIL, MAIL_LIST
from service.http.schemas.mfa import (
    MFA_CHALLENGE,
    MFA_CHALLENGE_SECRET,
    MFA_FACTORS,
    MFA_RECOVERY_CODES,
    MFA_TYPE,
)
from service.http.schemas.parameters import (
    EVENT_PAGE,
    FLOW,
    FLOW_STATE,
    IDENTITY_QUERIES,
    INVITATION_PAGE,
    OLD_PAGING,
    PASSKEY_QUERIES,
    QUERIES,
    RETURNED,
    SESSION_QUERIES,
    TARGET_QUERIES,
    TOTAL,
    USER_QUERIES,
)
from service.http.schemas.parts import Answer, Parameter, Schema
from service.http.schemas.passkeys import PASSKEY, PASSKEY_CHALLENGE, PASSKEY_LIST, TOKEN_SECRET
from service.http.schemas.security_log import LOG, LOG_LIST
from service.http.schemas.sessions import SESSION, SESSION_LIST
from service.http.schemas.targets import TARGET, TARGET_LIST
from service.http.schemas.tokens import CUSTOM_TOKEN, FIRST_TAB_TOKEN, JWT, MAGIC_URL_TOKEN, PHONE_TOKEN, TOKEN
from service.http.schemas.users import MANAGED_USER, PREFERENCES, USER, USER_LIST
from service.version import VERSION

__all__ = [
    "ACCOUNT_EXPORT",
    "CONSENT_LIST",
    "CUSTOM_TOKEN",
    "DOCUMENT",
    "EVENT_LIST",
    "EVENT_PAGE",
    "FIRST_TAB_TOKEN",
    "FLOW",
    "FLOW_STATE",
    "IDENTITY",
    "IDENTITY_LIST",
    "IDENTITY_QUERIES",
    "INVITATION",
    "INVITATION_LIST",
    "INVITATION_PAGE",
    "JWT",
    "LOG",
    "LOG_LIST",
    "MAGIC_URL_TOKEN",
    "MAIL",
    "MAIL_LIST",
    "MANAGED_USER",
    "MEMBERSHIP_LIST",
    "MFA_CHALLENGE",
    "MFA_CHALLENGE_SECRET",
    "MFA_FACTORS",
    "MFA_RECOVERY_CODES",
    "MFA_TYPE",
    "OLD_PAGING",
    "PASSKEY",
    "PASSKEY_CHALLENGE",
    "PASSKEY_LIST",
    "PASSKEY_QUERIES",
    "PHONE_TOKEN",
    "PONG",
    "PREFERENCES",
    "QUERIES",
    "RETURNED",
    "SESSION",
    "SESSION_LIST",
    "SESSION_QUERIES",
    "TARGET",
    "TARGET_LIST",
    "TARGET_QUERIES",
    "TOKEN",
    "TOKEN_SECRET",
    "TOTAL",
    "USER",
    "USER_LIST",
    "USER_QUERIES",
    "Error",
    "Parameter",
    "Schema",
]


class Error(Answer):
    """Decide by `type`: messages are for people."""

    message: Annotated[str, Field(min_length=1)]
    code: Annotated[int, Field(description="The HTTP status")]
    type: str
    version: Annotated[str, Field(description="The service's own version", examples=[VERSION])]


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI 3.1 document: this one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"openapi": "3.1.0"}]})


class Pong(RootModel[Literal["Pong!"]]):
    """The service answers, and this client may ask it."""


DOCUMENT = Schema(Document)
PONG = Schema(Pong, media="text/plain")
