"""Tokens, which go out by mail or SMS, and JWTs, which do not."""

from typing import Annotated

from pydantic import Field

from service.http.schemas.parts import Answer, From, Id, Is, Schema, Seconds, Time

Nothing = Annotated[
    str,
    Field(description="Empty: the secret is in the mail and nowhere else", max_length=0, examples=[""]),
    Is(""),
]


class TokenLegacy(Answer):
    id: Annotated[Id, Field(alias="$id")]
    user_id: Id
    secret: Nothing
    expire: Annotated[Seconds, From("expires_at")]


class Token(Answer):
    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    user_id: Id
    secret: Nothing
    expire: Annotated[Time, From("expires_at")]
    phrase: Annotated[str, Field(description="Words that stand in the mail too, when asked for", examples=[""])]


_PHRASE = "Words that stand in the mail too, when asked for; or the number to be entered where the link is opened"


class MagicUrlToken(Token):
    """A token whose secret is in the mail; who may redeem it without that one has another."""

    secret: Annotated[
        str,
        Field(description="Empty, except for a server that waits for the link: what it asks with", examples=[""]),
    ]
    phrase: Annotated[str, Field(description=_PHRASE, examples=[""])]


class FirstTabTokenLegacy(TokenLegacy):
    secret: str
    phrase: Annotated[str, Field(description=_PHRASE, examples=["42"])]


Shown = Annotated[str, Field(description="Lower-case hexadecimal characters", examples=["5f4dcc"])]


class CustomTokenLegacy(TokenLegacy):
    secret: Shown


class CustomToken(Token):
    """A token that is in no mail: the app's server has its secret."""

    secret: Shown


Code = Annotated[
    str,
    Field(description="Empty, except for a server whose key may write users: the code", max_length=6, examples=[""]),
]


class PhoneTokenLegacy(TokenLegacy):
    secret: Code


class PhoneToken(Token):
    """A token whose secret is in an SMS."""

    secret: Code


class Jwt(Answer):
    jwt: Annotated[str, Field(examples=["eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"], pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$")]


TOKEN = Schema(Token, (TokenLegacy,))
MAGIC_URL_TOKEN = Schema(MagicUrlToken, (TokenLegacy,))
FIRST_TAB_TOKEN = Schema(MagicUrlToken, (FirstTabTokenLegacy,))
PHONE_TOKEN = Schema(PhoneToken, (PhoneTokenLegacy,))
CUSTOM_TOKEN = Schema(CustomToken, (CustomTokenLegacy,))
JWT = Schema(Jwt)
