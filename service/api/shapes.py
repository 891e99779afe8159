"""What answers look like, in both renderings: the API document is made from these, answers.py fills them.

No answer is made through them, so that none pays for it; tests hold the two together.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing in each era's rendering; `older` ones stand only where they differ, the legacy era's first."""

    modern: type[BaseModel]
    older: tuple[type[BaseModel], ...] = ()

    @property
    def renderings(self) -> tuple[type[BaseModel], ...]:
        return (self.modern, *self.older)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something a route reads from its path or query."""

    name: str
    description: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


class Answer(BaseModel):
    """Every field is always there, and no other."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


Id = Annotated[str, Field(examples=["66e1c3d2a4b5968778a9"], min_length=1, max_length=36)]
Seconds = Annotated[int, Field(description="Unix seconds; 0 is never", examples=[1_592_981_250], ge=0)]
Iso = Annotated[
    str, Field(examples=["2020-10-15T06:38:00.000+00:00"], pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")
]
Never = Annotated[Literal[""], Field(description="Never")]
# Formats from 0.12 to below 1.0 know the modern fields, but Unix seconds.
Time = Iso | Seconds
MaybeTime = Iso | Never | Seconds
Address = Annotated[str, Field(description='"" for an account without an address', examples=["ann@example.com"])]
Prefs = Annotated[dict[str, Any], Field(description="The app's own object", examples=[{"theme": "pink"}])]
Name = Annotated[str, Field(examples=["Ann"], max_length=128)]


class Target(Answer):
    """Where messages for a user go: the account's address."""

    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt")]
    name: Annotated[str, Field(examples=[""])]
    user_id: Id
    provider_id: None
    provider_type: Literal["email"]
    identifier: Address
    expired: Literal[False]


class UserLegacy(Answer):
    id: Annotated[Id, Field(alias="$id")]
    name: Name
    registration: Seconds
    status: Annotated[Literal[0, 1, 2], Field(description="0 unactivated, 1 active, 2 blocked")]
    password_update: Seconds
    email: Address
    email_verification: bool
    prefs: Prefs


class User(Answer):
    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt")]
    name: Name
    registration: Time
    status: Annotated[bool, Field(description="False where the account is blocked", examples=[True])]
    labels: Annotated[list[str], Field(examples=[[]])]
    password_update: MaybeTime
    email: Address
    phone: Literal[""]
    email_verification: bool
    phone_verification: Literal[False]
    mfa: Literal[False]
    prefs: Prefs
    targets: list[Target]
    accessed_at: Time


class ManagedUser(User):
    """As operators see it: there is room for a hash, and nobody is ever told one."""

    password: Literal[""]
    hash: Literal[""]
    hash_options: Annotated[dict[str, Any], Field(max_length=0, examples=[{}])]


class UserListLegacy(Answer):
    """`sum` up to format 0.12, whose users already have the modern fields."""

    sum: Annotated[int, Field(ge=0, le=5000, description="How many there are, 5000 at most", examples=[1])]
    users: list[UserLegacy] | list[ManagedUser]


class UserList(Answer):
    total: Annotated[int, Field(ge=0, le=5000, description="How many there are, 5000 at most", examples=[1])]
    users: list[ManagedUser]


class Preferences(RootModel[dict[str, Any]]):
    """The app's own object, `{}` when there is nothing in it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"theme": "pink", "timezone": "UTC"}]})


class Device(Answer):
    """From the User-Agent; "" for what it doesn't tell."""

    os_code: Annotated[str, Field(examples=["WIN"])]
    os_name: Annotated[str, Field(examples=["Windows"])]
    os_version: Annotated[str, Field(examples=["10"])]
    client_type: Annotated[str, Field(examples=["browser"])]
    client_code: Annotated[str, Field(examples=["CH"])]
    client_name: Annotated[str, Field(examples=["Chrome"])]
    client_version: Annotated[str, Field(examples=["70.0"])]
    client_engine: Annotated[str, Field(examples=["Blink"])]
    client_engine_version: Annotated[str, Field(examples=[""])]
    device_name: Annotated[str, Field(examples=["desktop"])]
    device_brand: Annotated[str, Field(examples=[""])]
    device_model: Annotated[str, Field(examples=[""])]
    country_code: Annotated[str, Field(pattern="^(--|[a-z]{2})$", examples=["--"])]
    country_name: Annotated[str, Field(description="In the reader's language", examples=["Unknown"])]


Ip = Annotated[str, Field(examples=["127.0.0.1"])]
Provider = Literal["email", "anonymous", "magic-url"]
ProviderUid = Annotated[
    str, Field(description="The address that proved who it is, or empty", examples=["ann@example.com"])
]


class SessionLegacy(Device):
    id: Annotated[Id, Field(alias="$id")]
    user_id: Id
    expire: Seconds
    provider: Provider
    provider_uid: ProviderUid
    provider_token: Literal[""]
    ip: Ip
    current: Annotated[bool, Field(description="The session that asks", examples=[True])]


class Session(Device):
    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt")]
    user_id: Id
    expire: Time
    provider: Provider
    provider_uid: ProviderUid
    provider_access_token: Literal[""]
    provider_access_token_expiry: Literal["", 0]
    provider_refresh_token: Literal[""]
    ip: Ip
    current: Annotated[bool, Field(description="The session that asks", examples=[True])]
    factors: Annotated[list[Literal["password", "email", "anonymous"]], Field(examples=[["password"]])]
    secret: Annotated[str, Field(description="Empty, except for who asks with an API key", examples=[""])]
    mfa_updated_at: Literal[""]


Count = Annotated[int, Field(ge=0, description="How many there are; 0 with `total=false`", examples=[1])]


class SessionListLegacy(Answer):
    """`sum` up to format 0.12, whose sessions already have the modern fields."""

    sum: Count
    sessions: list[SessionLegacy] | list[Session]


class SessionList(Answer):
    total: Count
    sessions: list[Session]


class LogLegacy(Device):
    event: Annotated[str, Field(examples=["account.sessions.create"])]
    ip: Ip
    time: Seconds


class Log(Device):
    event: Annotated[str, Field(examples=["session.create"])]
    user_id: Id
    user_email: Address
    user_name: Name
    mode: Literal["default"]
    user_type: Annotated[str, Field(examples=["user"])]
    ip: Ip
    time: Time


class LogListLegacy(Answer):
    logs: list[LogLegacy]


class LogListBetween(Answer):
    """As formats from 0.12 to below 0.13 have it."""

    sum: Count
    logs: list[Log]


class LogList(Answer):
    total: Count
    logs: list[Log]


Nothing = Annotated[
    str, Field(description="Empty: the secret is in the mail and nowhere else", max_length=0, examples=[""])
]


class TokenLegacy(Answer):
    id: Annotated[Id, Field(alias="$id")]
    user_id: Id
    secret: Nothing
    expire: Seconds


class Token(Answer):
    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    user_id: Id
    secret: Nothing
    expire: Time
    phrase: Annotated[str, Field(description="Words that stand in the mail too, when asked for", examples=[""])]


class Jwt(Answer):
    jwt: Annotated[str, Field(examples=["eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"], pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$")]


class IdentityListLegacy(Answer):
    sum: Literal[0]
    identities: Annotated[list[Any], Field(max_length=0)]


class IdentityList(Answer):
    total: Literal[0]
    identities: Annotated[list[Any], Field(max_length=0)]


class Error(Answer):
    """Decide by `type`: messages are for people."""

    message: Annotated[str, Field(min_length=1)]
    code: Annotated[int, Field(description="The HTTP status")]
    type: str
    version: Annotated[str, Field(description="The service's own version", examples=["0.1.0"])]


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI 3.1 document: this one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"openapi": "3.1.0"}]})


USER = Shape(User, (UserLegacy,))
MANAGED_USER = Shape(ManagedUser, (UserLegacy,))
USER_LIST = Shape(UserList, (UserListLegacy,))
PREFERENCES = Shape(Preferences)
SESSION = Shape(Session, (SessionLegacy,))
SESSION_LIST = Shape(SessionList, (SessionListLegacy,))
LOG_LIST = Shape(LogList, (LogListLegacy, LogListBetween))
TOKEN = Shape(Token, (TokenLegacy,))
JWT = Shape(Jwt)
IDENTITY_LIST = Shape(IdentityList, (IdentityListLegacy,))
DOCUMENT = Shape(Document)

TOTAL = Parameter("total", "`false` leaves the count out: it is 0 then", {"type": "boolean", "default": True})
QUERIES = Parameter(
    "queries[]",
    'Modern era: `{"method":"limit","values":[5]}` or `limit(5)`; limit (0 to 100, usually 25) and offset',
    {"type": "array", "items": {"type": "string", "examples": ['{"method":"limit","values":[5]}']}, "maxItems": 100},
)
USER_QUERIES = Parameter(
    "queries[]",
    "limit (0 to 100, usually 25), offset, cursorAfter, cursorBefore, orderAsc, orderDesc, and conditions: equal, "
    "search, contains, greaterThan, greaterThanEqual, lessThan, lessThanEqual, between; in either spelling",
    {"type": "array", "items": {"type": "string", "examples": ['{"method":"limit","values":[5]}']}, "maxItems": 100},
)
OLD_PAGING = (
    Parameter("search", "Part of an id, an address or a name; no wildcards", {"type": "string", "maxLength": 256}),
    Parameter("limit", "SDKs below 1.0", {"type": "integer", "minimum": 0, "maximum": 100, "default": 25}),
    Parameter("offset", "SDKs below 1.0", {"type": "integer", "minimum": 0, "maximum": 100_000, "default": 0}),
    Parameter("cursor", "SDKs below 1.0: the id of a user"),
    Parameter("cursorDirection", "SDKs below 1.0", {"type": "string", "enum": ["after", "before"]}),
    Parameter("orderType", "SDKs below 1.0", {"type": "string", "enum": ["ASC", "DESC"]}),
)
