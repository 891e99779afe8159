"""Targets of users, for a server that holds an API key."""

from typing import Any

import pytest

from service.db import Pool
from service.store import projects
from testkit import api_keys
from testkit.api import Api, kind
from testkit.factors import Person, signed_in
from testkit.targets import identifiers, register

ANN = "/v1/users/ann/targets"
PUSH = {"targetId": "tv", "providerType": "push", "identifier": "token"}


@pytest.fixture
async def server(api: Api, pool: Pool, project: projects.Project) -> Person:
    """The app's server, and a user `ann` with address and number."""
    server = Person(api, pool, await api_keys.key(pool))
    body = {"userId": "ann", "email": "ann@example.com", "phone": "+4915112345678", "password": "correct horse"}
    assert (await server.call("POST", "/v1/users", **body)).status == 201
    return server


async def test_a_server_registers_and_reads(api: Api, pool: Pool, server: Person):
    """Targets of devices and of the server are one list; the latter outlive every session."""
    ann = await signed_in(api, pool)
    await register(ann, "phone", "device")
    made = await server.call("POST", ANN, **PUSH, name="Living room", providerId="fcm")
    assert (made.status, made.data["name"], made.data["providerId"]) == (201, "Living room", "fcm")
    listed = (await server.call("GET", ANN)).data
    assert (listed["total"], [each["providerType"] for each in listed["targets"]]) == (
        4,
        ["email", "sms", "push", "push"],
    )
    assert (await server.call("GET", f"{ANN}/phone")).data["identifier"] == "device"
    assert await identifiers(ann) == ["device", "token"]
    assert [each["$id"] for each in (await server.call("GET", "/v1/users/ann")).data["targets"]][2:] == ["phone", "tv"]
    await server.call("DELETE", "/v1/users/ann/sessions")
    assert [each["$id"] for each in (await server.call("GET", ANN)).data["targets"]][2:] == ["tv"]


async def test_a_server_changes_and_deletes(server: Person):
    """Only what is given changes."""
    await server.call("POST", ANN, **PUSH)
    changed = (await server.call("PATCH", f"{ANN}/tv", name="Kitchen")).data
    assert (changed["name"], changed["identifier"]) == ("Kitchen", "token")
    changed = (await server.call("PATCH", f"{ANN}/tv", identifier="newer", providerId="apns")).data
    assert (changed["name"], changed["identifier"], changed["providerId"]) == ("Kitchen", "newer", "apns")
    assert (await server.call("PATCH", f"{ANN}/tv", providerId="")).data["providerId"] is None
    assert (await server.call("DELETE", f"{ANN}/tv")).status == 204
    assert kind(await server.call("DELETE", f"{ANN}/tv")) == (404, "user_target_not_found")


@pytest.mark.parametrize("kind_", ["email", "sms"])
async def test_own_targets_are_read_only(server: Person, kind_: str):
    """They follow address and number of the account, and change with these."""
    path = f"{ANN}/{kind_}-ann"
    assert (await server.call("GET", path)).data["providerType"] == kind_
    assert kind(await server.call("PATCH", path, name="x")) == (400, "general_bad_request")
    assert kind(await server.call("DELETE", path)) == (400, "general_bad_request")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"providerType": "email", "identifier": "Work@Example.com"}, "Work@example.com"),
        ({"providerType": "sms", "identifier": "+4915199999999"}, "+4915199999999"),
    ],
)
async def test_other_types(server: Person, body: dict[str, Any], answer: str):
    """A further address or number, in the spelling in which addresses are kept."""
    made = await server.call("POST", ANN, targetId="work", **body)
    assert (made.status, made.data["identifier"].lower()) == (201, answer.lower())


@pytest.mark.parametrize(
    "body",
    [
        {"providerType": "fax", "identifier": "x"}, {"providerType": "email", "identifier": "x"},
        {"providerType": "sms", "identifier": "x"}, {"providerType": ["push"], "identifier": "x"},
        {"identifier": "x"}, {"providerType": "push"},
    ],
)  # fmt: skip
async def test_bad_input(server: Person, body: dict[str, Any]):
    """400; an identifier must fit its type."""
    assert kind(await server.call("POST", ANN, targetId="work", **body)) == (400, "general_argument_invalid")


async def test_refusals(server: Person):
    """409 for what the user has, 404 for users and targets that are not there, 400 above the cap."""
    await server.call("POST", ANN, **PUSH)
    exists = (409, "user_target_already_exists")
    assert kind(await server.call("POST", ANN, **PUSH)) == exists
    assert kind(await server.call("POST", ANN, **PUSH | {"targetId": "two"})) == exists
    own = {"targetId": "own", "providerType": "email", "identifier": "ann@example.com"}
    assert kind(await server.call("POST", ANN, **own)) == exists
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/tv"), ("PATCH", "/tv"), ("DELETE", "/tv")):
        asked = await server.call(method, f"/v1/users/nobody/targets{path}", **PUSH)
        assert kind(asked) == (404, "user_not_found")
    assert kind(await server.call("GET", f"{ANN}/none")) == (404, "user_target_not_found")
    for number in range(9):
        body = {"targetId": f"t{number}", "providerType": "push", "identifier": f"t{number}"}
        assert (await server.call("POST", ANN, **body)).status == 201
    more = {"targetId": "more", "providerType": "push", "identifier": "more"}
    assert kind(await server.call("POST", ANN, **more)) == (400, "user_target_limit_exceeded")


async def test_the_list_is_narrowed(server: Person):
    """By the queries of the contract."""
    await server.call("POST", ANN, **PUSH)
    for queries, ids in {
        '{"method":"equal","attribute":"providerType","values":["push"]}': ["tv"],
        '{"method":"equal","attribute":"identifier","values":["+4915112345678"]}': ["sms-ann"],
        '{"method":"limit","values":[1]}': ["email-ann"],
        '{"method":"cursorAfter","values":["email-ann"]}': ["sms-ann", "tv"],
    }.items():
        answer = await server.api.client.get(
            ANN, params={"queries[]": queries}, headers=server.headers | {"X-Appwrite-Response-Format": "1.9.5"}
        )
        assert [each["$id"] for each in (await answer.json())["targets"]] == ids
