"""Devices that register for an app's messages."""

from typing import Any

from testkit.factors import Person

ACCOUNT = "/v1/account/targets"
PATH = f"{ACCOUNT}/push"


def path(target_id: str) -> str:
    return f"{ACCOUNT}/{target_id}/push"


async def register(person: Person, target_id: str, identifier: str, **facts: Any) -> Any:
    return await person.call("POST", PATH, targetId=target_id, identifier=identifier, **facts)


async def identifiers(person: Person) -> list[str]:
    """List what the member's own account shows: the identifiers of its devices."""
    shown = (await person.call("GET", "/v1/account")).data["targets"]
    return [each["identifier"] for each in shown if each["providerType"] == "push"]
