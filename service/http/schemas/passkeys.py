"""Passkeys, the challenges that begin a ceremony, and the token that ends a sign-in."""

from typing import Annotated, Any

from pydantic import Field

from service.http.schemas.parts import Answer, As, From, Id, MaybeTime, Schema, Time
from service.http.schemas.sessions import Count
from service.http.schemas.tokens import Token, TokenLegacy

_CREATE = {"challenge": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI", "rpId": "example.com"}
Secret = Annotated[
    str,
    Field(description="For POST /v1/account/sessions/token, once", pattern="^[0-9a-f]{256}$", examples=["0f" * 128]),
]


class PasskeyChallenge(Answer):
    """The beginning of a ceremony: a browser has five minutes to answer it."""

    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    passkey_id: Annotated[str, Field(description="The passkey that is made; empty for a sign-in", max_length=36)]
    expire: Annotated[Time, From("expires_at")]
    public_key: Annotated[
        dict[str, Any],
        Field(
            description="For `PublicKeyCredential.parseCreationOptionsFromJSON()` or `parseRequestOptionsFromJSON()`",
            examples=[_CREATE],
        ),
    ]


class Passkey(Answer):
    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt")]
    name: Annotated[str, Field(max_length=128, examples=["My phone"])]
    accessed_at: Annotated[
        MaybeTime,
        Field(description='The last sign-in with it; "" for never'),
        As(lambda version, at: version.time(at) if at else ""),
    ]


class PasskeyListLegacy(Answer):
    sum: Count
    passkeys: list[Passkey]


class PasskeyList(Answer):
    total: Count
    passkeys: list[Passkey]


class TokenSecretLegacy(TokenLegacy):
    secret: Secret


class TokenSecret(Token):
    """A token that the client itself is given, for the minute until it opens a session."""

    secret: Secret


PASSKEY_CHALLENGE = Schema(PasskeyChallenge)
PASSKEY = Schema(Passkey)
PASSKEY_LIST = Schema(PasskeyList, (PasskeyListLegacy,))
TOKEN_SECRET = Schema(TokenSecret, (TokenSecretLegacy,))
