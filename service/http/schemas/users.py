"""Users, and their preferences."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field, RootModel

from service.http.api_version import ApiVersion
from service.http.schemas.parts import (
    Address,
    Answer,
    As,
    From,
    Id,
    Is,
    MaybeTime,
    Name,
    Schema,
    Seconds,
    Since,
    Time,
    render,
)
from service.http.schemas.targets import Target
from service.store import targets, users

Prefs = Annotated[
    dict[str, Any],
    Field(description="The app's own object", examples=[{"theme": "pink"}]),
    As(lambda _version, prefs: orjson.Fragment(prefs)),
]
_STATUS = {"unactivated": 0, "active": 1, "blocked": 2}


def _targets(version: ApiVersion, user: users.User) -> list[dict[str, Any]]:
    return [render(Target, version, each) for each in targets.list_of(user)]


class UserLegacy(Answer):
    id: Annotated[Id, Field(alias="$id")]
    name: Name
    registration: Annotated[Seconds, From("created_at")]
    status: Annotated[
        Literal[0, 1, 2],
        Field(description="0 unactivated, 1 active, 2 blocked"),
        As(lambda _version, status: _STATUS[status]),
    ]
    password_update: Annotated[Seconds, From("password_updated_at")]
    email: Address
    email_verification: Annotated[bool, From("email_verified")]
    prefs: Prefs


class User(Answer):
    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt")]
    name: Name
    registration: Annotated[Time, From("created_at")]
    status: Annotated[
        bool,
        Field(description="False where the account is blocked", examples=[True]),
        As(lambda _version, status: status != "blocked"),
    ]
    labels: Annotated[list[str], Field(examples=[[]])]
    password_update: Annotated[MaybeTime, From("password_updated_at")]
    email: Address
    phone: Annotated[
        str,
        Field(description='"" for an account without a number', examples=["+4915112345678"]),
        As(lambda _version, phone: phone or ""),
    ]
    email_verification: Annotated[bool, From("email_verified")]
    phone_verification: Annotated[bool, From("phone_verified")]
    mfa: Annotated[bool, Field(description="Whether a second factor is asked for", examples=[False])]
    prefs: Prefs
    targets: Annotated[list[Target], From(""), As(_targets)]
    accessed_at: Time
    impersonator: Annotated[Literal[False], Field(description="From format 1.9 on"), Since((1, 9))] = False


class ManagedUser(User):
    """A user for operators; the fields for a hash stay empty."""

    password: Literal[""]
    hash: Literal[""]
    hash_options: Annotated[dict[str, Any], Field(max_length=0, examples=[{}]), Is({})]


class UserListLegacy(Answer):
    """A list of users, with `sum` up to format 0.12, which already has the modern fields."""

    sum: Annotated[int, Field(ge=0, le=5000, description="How many there are, 5000 at most", examples=[1])]
    users: list[UserLegacy] | list[ManagedUser]


class UserList(Answer):
    total: Annotated[int, Field(ge=0, le=5000, description="How many there are, 5000 at most", examples=[1])]
    users: list[ManagedUser]


class Preferences(RootModel[dict[str, Any]]):
    """The app's own object, `{}` when it is empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"theme": "pink", "timezone": "UTC"}]})


USER = Schema(User, (UserLegacy,))
MANAGED_USER = Schema(ManagedUser, (UserLegacy,))
USER_LIST = Schema(UserList, (UserListLegacy,))
PREFERENCES = Schema(Preferences)
