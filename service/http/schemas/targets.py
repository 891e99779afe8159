"""Targets of messages to a user."""

from typing import Annotated, Literal

from pydantic import Field

from service.http.schemas.parts import Answer, Id, Schema, Time
from service.http.schemas.sessions import Count


class Target(Answer):
    """An address for messages to a user: the account's own address and number, and registered devices."""

    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    updated_at: Annotated[Time, Field(alias="$updatedAt")]
    name: Annotated[str, Field(description="Brand and model of a device", max_length=128, examples=["Google Pixel 8"])]
    user_id: Id
    provider_id: Annotated[str | None, Field(description="The app's own", max_length=36, examples=["fcm"])]
    provider_type: Annotated[Literal["email", "sms", "push"], Field(examples=["push"])]
    identifier: Annotated[
        str,
        Field(description="Address, number, or the device's token", min_length=1, max_length=320, examples=["token"]),
    ]
    expired: Literal[False]


class TargetListLegacy(Answer):
    sum: Count
    targets: list[Target]


class TargetList(Answer):
    total: Count
    targets: list[Target]


TARGET = Schema(Target)
TARGET_LIST = Schema(TargetList, (TargetListLegacy,))
