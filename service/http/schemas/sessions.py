"""Sessions, and the fields of a device, which the security log has too."""

from typing import Annotated, Literal

from pydantic import Field

from service.http.api_version import ApiVersion
from service.http.schemas.parts import Answer, As, From, Id, MaybeTime, Schema, Seconds, Time
from service.store import sessions

Ip = Annotated[str, Field(examples=["127.0.0.1"])]
Provider = Annotated[
    str,
    Field(
        description="email, anonymous, magic-url, phone, token, server, passkey, or a provider such as google",
        examples=["email"],
    ),
]
ProviderUid = Annotated[
    str,
    Field(
        description="The address or number that proved who it is, the id that the user has at the provider, or empty",
        examples=["ann@example.com"],
    ),
]
# Tokens of the provider, for clients of a project that shows them.
ProviderToken = Annotated[
    str, Field(description="Empty, unless the project shows the tokens of providers", examples=[""])
]
TokenExpiry = Annotated[
    MaybeTime,
    Field(description='"" for none, or where the provider told none'),
    As(lambda version, at: version.time(at)),
]
# Of sessions that an earlier release opened.
_FACTORS = {"email": "password", "anonymous": "anonymous"}
Count = Annotated[int, Field(ge=0, description="How many there are; 0 with `total=false`", examples=[1])]


def _factors(_version: ApiVersion, session: sessions.Session) -> list[str]:
    return session.factors or [_FACTORS.get(session.provider, "email")]


class Device(Answer):
    """Device by the User-Agent; "" where it is unknown."""

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


Device.last = ("ip", "time", *Device.model_fields, "current", "factors", "secret", "mfa_updated_at")


class SessionLegacy(Device):
    id: Annotated[Id, Field(alias="$id")]
    user_id: Id
    expire: Annotated[Seconds, From("expires_at")]
    provider: Provider
    provider_uid: ProviderUid
    provider_token: ProviderToken
    ip: Ip
    current: Annotated[bool, Field(description="The session that asks", examples=[True])]


class _Session(Device):
    """Fields that formats since 0.12 have in common."""

    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt")]
    user_id: Id
    expire: Annotated[Time, From("expires_at")]
    provider: Provider
    provider_uid: ProviderUid
    ip: Ip
    current: Annotated[bool, Field(description="The session that asks", examples=[True])]
    factors: Annotated[
        list[
            Literal[
                "password",
                "email",
                "anonymous",
                "token",
                "server",
                "oauth2",
                "passkey",
                "userVerification",
                "totp",
                "phone",
                "recoveryCode",
                "custom",
            ]
        ],
        Field(examples=[["password"]], description="What was proved, in order"),
        From(""),
        As(_factors),
    ]
    secret: Annotated[str, Field(description="Empty, except for who asks with an API key", examples=[""])]
    mfa_updated_at: Annotated[
        MaybeTime,
        Field(description='When a challenge was last passed; "" for never'),
        From("mfa_at"),
        As(lambda version, at: version.time(at) if at else ""),
    ]


class SessionBetween(_Session):
    """A session in formats from 0.12 to below 0.13."""

    provider_token: ProviderToken


class Session(_Session):
    """A sign-in, with its device."""

    provider_access_token: ProviderToken
    provider_access_token_expiry: TokenExpiry
    provider_refresh_token: ProviderToken


class SessionListLegacy(Answer):
    """A list of sessions, with `sum` up to format 0.12, which already has most of the modern fields."""

    sum: Count
    sessions: list[SessionLegacy] | list[SessionBetween]


class SessionList(Answer):
    total: Count
    sessions: list[Session]


SESSION = Schema(Session, (SessionLegacy, SessionBetween))
SESSION_LIST = Schema(SessionList, (SessionListLegacy,))
