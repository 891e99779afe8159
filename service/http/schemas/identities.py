"""Identities: accounts at other providers that sign a user in."""

from typing import Annotated, Literal

from pydantic import Field

from service.http.schemas.parts import Answer, From, Id, Schema, Time
from service.http.schemas.sessions import ProviderToken, TokenExpiry

_Count = Annotated[int, Field(ge=0, le=5000, description="How many there are, 5000 at most", examples=[1])]


class Identity(Answer):
    """An account at another provider that signs a user in."""

    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt")]
    user_id: Id
    provider: Annotated[str, Field(examples=["google"])]
    provider_uid: Annotated[
        str, Field(description="The user's id at the provider", examples=["110169484474386276334"]), From("subject")
    ]
    provider_email: Annotated[
        str,
        Field(description="As the provider had it at the latest sign-in, or empty", examples=["ann@example.com"]),
        From("email"),
    ]
    provider_access_token: ProviderToken
    provider_access_token_expiry: TokenExpiry
    provider_refresh_token: ProviderToken
    provider_id_token: Annotated[Literal[""], Field(description="Not kept")]


class IdentityListLegacy(Answer):
    sum: _Count
    identities: list[Identity]


class IdentityList(Answer):
    total: _Count
    identities: list[Identity]


IDENTITY = Schema(Identity)
IDENTITY_LIST = Schema(IdentityList, (IdentityListLegacy,))
