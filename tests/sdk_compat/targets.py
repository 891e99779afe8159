"""Targets of messages in the walks of today's SDKs: a page registers its browser, a server reads where to send."""

from typing import Any

from tests.sdk_compat.walk import Walk

NOT_FOUND = (404, "user_target_not_found")
EXISTS = (409, "user_target_already_exists")


async def walk(it: Walk) -> None:
    """Register the device of a member who is signed in; the account shows it until it is removed."""
    made = await it.works("createPushTarget", targetId="phone", identifier="token")
    assert (made["$id"], made["identifier"], made["providerType"], made["providerId"]) == (
        "phone", "token", "push", None,
    )  # fmt: skip
    await it.refused("createPushTarget", *EXISTS, targetId="phone", identifier="other")
    changed = await it.works("updatePushTarget", targetId="phone", identifier="newer")
    assert (changed["identifier"], changed["expired"]) == ("newer", False)
    assert await _pushed(it) == ["newer"]
    await it.works("deletePushTarget", targetId="phone")
    await it.refused("deletePushTarget", *NOT_FOUND, targetId="phone")
    assert await _pushed(it) == []
    await it.works("createPushTarget", targetId="gone", identifier="with-the-session")


async def _pushed(it: Walk) -> list[str]:
    shown: list[dict[str, Any]] = (await it.works("get"))["targets"]
    return [each["identifier"] for each in shown if each["providerType"] == "push"]


async def walk_users(it: Walk, user_id: str, email: str) -> None:
    """Everything that a server does with the targets of a user."""
    one = {"userId": user_id, "targetId": "tv"}
    device = {"providerType": "push", "identifier": "token", "name": "TV"}
    made = await it.works("createTarget", **one, **device)
    assert (made["$id"], made["name"], made["providerType"]) == ("tv", "TV", "push")
    await it.refused("createTarget", *EXISTS, **one, **device)
    listed = await it.works("listTargets", userId=user_id)
    assert [each["identifier"] for each in listed["targets"] if each["providerType"] != "sms"] == [email, "token"]
    assert (await it.works("updateTarget", **one, identifier="newer", name="Old TV"))["identifier"] == "newer"
    assert (await it.works("getTarget", **one))["name"] == "Old TV"
    await it.works("deleteTarget", **one)
    await it.refused("getTarget", *NOT_FOUND, **one)
