"""One model, three renderings: below 0.12, 0.12 to 0.15, and 1.0 onwards (docs/contract.md#api-versions)."""

import re

import pytest

from service.db import Pool
from service.http import api_version
from service.store import projects
from testkit.api import Api
from worker.security_log import SecurityLogWriter

LEGACY = ["0.6.2", "0.9.0", "0.10.0", "0.11.0", "0.11.99"]
BETWEEN = ["0.12.0", "0.13.4", "0.15.3", "0.99"]
MODERN = ["1.0.0", "1.0.0-RC1", "1.9.0-rc.1", "1.4.13", "1.9.5", "2.3.0", "2.5.0", "1"]
JUNK = ["", "x", "-RC1", "1.0.0-", "1.0.0-RC1x", "1.x", "-1.0", "v1.9", "1.9.5.7", "0x1.0", "1" * 400, "１.0"]
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")
DEVICE = [
    "osCode", "osName", "osVersion", "clientType", "clientCode", "clientName", "clientVersion", "clientEngine",
    "clientEngineVersion", "deviceName", "deviceBrand", "deviceModel", "countryCode", "countryName",
]  # fmt: skip
# Golden: the keys in the order of docs/contract.md#models.
USER = {
    False: ["$id", "name", "registration", "status", "passwordUpdate", "email", "emailVerification", "prefs"],
    True: ["$id", "$createdAt", "$updatedAt", "name", "registration", "status", "labels", "passwordUpdate", "email",
           "phone", "emailVerification", "phoneVerification", "mfa", "prefs", "targets", "accessedAt"],
}  # fmt: skip
# A field of 1.9 that SDKs of its time index without looking.
USER_SINCE_1_9 = [*USER[True], "impersonator"]
SESSION = {
    False: ["$id", "userId", "expire", "provider", "providerUid", "providerToken", "ip", *DEVICE, "current"],
    True: ["$id", "$createdAt", "$updatedAt", "userId", "expire", "provider", "providerUid", "providerAccessToken",
           "providerAccessTokenExpiry", "providerRefreshToken", "ip", *DEVICE, "current", "factors", "secret",
           "mfaUpdatedAt"],
}  # fmt: skip
SESSION_OF_0_12 = [
    "providerToken" if name == "providerAccessToken" else name
    for name in SESSION[True]
    if name not in ("providerAccessTokenExpiry", "providerRefreshToken")
]
TOKEN = {
    False: ["$id", "userId", "secret", "expire"],
    True: ["$id", "$createdAt", "userId", "secret", "expire", "phrase"],
}
LOG = {
    False: ["event", "ip", "time", *DEVICE],
    True: ["event", "userId", "userEmail", "userName", "mode", "userType", "ip", "time", *DEVICE],
}
TIMES = {"registration", "passwordUpdate", "$createdAt", "$updatedAt", "accessedAt", "expire", "time"}


async def ask(api: Api, version: str, method: str, path: str, **kwargs):
    headers = {"X-Appwrite-Response-Format": version} | kwargs.pop("headers", {})
    return (await api.call(method, path, headers=headers, **kwargs)).data


def check(found: dict, golden: list[str], *, iso: bool) -> None:
    """Keys in their order, and every time in the era's form."""
    assert list(found) == golden
    for name in TIMES & found.keys():
        fits = bool(ISO.fullmatch(found[name])) if iso else type(found[name]) is int
        assert fits, (name, found[name])
    assert None not in found.values()


@pytest.mark.parametrize(
    ("version", "modern", "iso"),
    [*((version, False, False) for version in LEGACY), *((version, True, False) for version in BETWEEN),
     *((version, True, True) for version in MODERN)],
)  # fmt: skip
async def test_the_format_header_names_the_era(api: Api, version: str, modern: bool, iso: bool):
    """User, session and token have the era's keys in the contract's order, and its kind of times."""
    body = {"email": "ann@example.com", "password": "correct horse", "name": "Ann"}
    user = await ask(api, version, "POST", "/v1/account", json=body)
    late = version in ("1.9.0-rc.1", "1.9.5", "2.3.0", "2.5.0")
    check(user, USER_SINCE_1_9 if late else USER[modern], iso=iso)
    assert user.get("impersonator", "absent") is (False if late else "absent")
    assert user["status"] is True if modern else user["status"] == 0
    session = await ask(api, version, "POST", "/v1/account/sessions", json=body)
    check(session, SESSION_OF_0_12 if version == "0.12.0" else SESSION[modern], iso=iso)
    if modern:
        assert session.get("providerAccessTokenExpiry", 0) == ("" if iso else 0)
        assert session.get("providerToken", "") == ""
        assert (session["factors"], session["secret"], session["mfaUpdatedAt"]) == (["password"], "", "")
    token = await ask(
        api, version, "POST", "/v1/account/recovery", json={"email": "ann@example.com", "url": "http://localhost/"}
    )
    check(token, TOKEN[modern], iso=iso)
    assert re.fullmatch("[0-9a-f]{20}", token["userId"])


@pytest.mark.parametrize(
    ("version", "modern", "envelope"),
    [("0.11.0", False, ["logs"]), ("0.12.1", True, ["sum", "logs"]), ("0.13.0", True, ["total", "logs"]),
     ("1.9.5", True, ["total", "logs"])],
)  # fmt: skip
async def test_the_log_in_each_era(api: Api, pool: Pool, version: str, modern: bool, envelope: list[str]):
    """The count is absent below 0.12, `sum` in 0.12 and `total` from 0.13 on; event names follow."""
    await api.sign_up()
    member = await api.sign_in()
    await SecurityLogWriter(pool).write_pending()
    answer = await ask(api, version, "GET", "/v1/account/logs", headers=member)
    assert list(answer) == envelope
    for entry in answer["logs"]:
        check(entry, LOG[modern], iso=version >= "1")
    names = [entry["event"] for entry in answer["logs"]]
    wanted = ["session.create", "user.create"] if modern else ["account.sessions.create", "account.create"]
    assert names == wanted


@pytest.mark.parametrize(
    ("status", "number", "flag"), [("unactivated", 0, True), ("active", 1, True), ("blocked", 2, False)]
)
async def test_status_is_a_number_and_later_a_flag(api: Api, pool: Pool, status: str, number: int, flag: bool):
    """`status` is 0, 1 or 2 in legacy, and true unless the account is blocked in modern."""
    body = {"email": "ann@example.com", "password": "correct horse"}
    await pool.execute("alter table users alter column status set default '" + status + "'")
    try:
        old = await ask(api, "0.11.0", "POST", "/v1/account", json=body)
        new = await ask(api, "1.9.5", "POST", "/v1/account", json=body | {"email": "bob@example.com"})
    finally:
        await pool.execute("alter table users alter column status set default 'unactivated'")
    assert (old["status"], new["status"]) == (number, flag)


async def test_never_is_zero_and_later_empty(api: Api, pool: Pool):
    """An account that never had a password: passwordUpdate is 0, or "" where times are text; never null."""
    await api.sign_up()
    member = await api.sign_in()
    await pool.execute("update users set password_updated_at = null, email = null")
    old = await ask(api, "0.11.0", "GET", "/v1/account", headers=member)
    between = await ask(api, "0.15.0", "GET", "/v1/account", headers=member)
    new = await ask(api, "1.9.5", "GET", "/v1/account", headers=member)
    assert [found["passwordUpdate"] for found in (old, between, new)] == [0, 0, ""]
    assert [found["email"] for found in (old, between, new)] == ["", "", ""]
    assert new["targets"] == []


async def test_an_address_is_a_modern_target(api: Api):
    """Today's SDKs see the address as a message target of its own."""
    await api.sign_up()
    user = (await api.call("GET", "/v1/account", headers=await api.sign_in(), modern=True)).data
    (target,) = user["targets"]
    assert list(target) == [
        "$id", "$createdAt", "$updatedAt", "name", "userId", "providerId", "providerType", "identifier", "expired",
    ]  # fmt: skip
    assert (target["userId"], target["providerType"], target["identifier"]) == (user["$id"], "email", user["email"])


@pytest.mark.parametrize("version", [None, *JUNK])
@pytest.mark.parametrize("default", [False, True])
def test_junk_names_no_era(version: str | None, default: bool):
    """Absent or no version at all: the project's default, which is legacy."""
    assert api_version.of(version, modern_by_default=default) == (api_version.MODERN if default else api_version.LEGACY)


async def test_a_project_may_be_modern_by_default(api: Api, pool: Pool):
    """A project without old clients answers the modern way to whoever names no format."""
    await projects.change(pool, "shop", modern_by_default=True)
    answer = await api.call("GET", "/v1/account")
    assert answer.data["message"] == 'User (role: guests) missing scopes (["account"])'
    old = await api.call("GET", "/v1/account", headers={"X-Appwrite-Response-Format": "0.11.0"})
    assert old.data["message"] == "User (role: guest) missing scope (account)"


# Status and type by era (docs/errors.md); the type is always sent.
REFUSALS = [
    ("GET", "/v1/account", {"X-Appwrite-Project": "nowhere"}, None, (400, 404), "project_not_found"),
    ("GET", "/v1/account", {"X-Appwrite-Project": None}, None, (400, 404), "project_not_found"),
    ("GET", "/v1/account", {}, None, (401, 401), "general_unauthorized_scope"),
    ("GET", "/v1/account", {"X-Appwrite-JWT": "x"}, None, (401, 401), "user_jwt_invalid"),
    ("POST", "/v1/account", {}, {}, (400, 400), "general_argument_invalid"),
    ("POST", "/v1/account", {"Origin": "http://evil.test"}, {}, (403, 403), "general_unknown_origin"),
    ("POST", "/v1/account/sessions", {}, {"email": "a@b.cd", "password": "12345678"}, (401, 401),
     "user_invalid_credentials"),
    ("PUT", "/v1/account/verification", {}, {"userId": "a", "secret": "b"}, (401, 401), "user_invalid_token"),
    ("GET", "/v1/account/nothing", {}, None, (404, 404), "general_route_not_found"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "headers", "body", "statuses", "kind"), REFUSALS)
async def test_status_and_type_by_era(api: Api, method, path, headers, body, statuses, kind):  # noqa: PLR0917 - pytest passes them by name
    """A refusal has the era's status; its type is the same and never missing."""
    for modern, status in zip((False, True), statuses, strict=True):
        answer = await api.call(method, path, headers=headers, json=body, modern=modern)
        assert (answer.status, answer.data["code"], answer.data["type"]) == (status, status, kind)


ORDER = [
    # The more there is wrong, the earlier check speaks: its status in the legacy era, then in the modern one.
    ({"X-Appwrite-Project": "nowhere", "Origin": "http://evil.test"}, (400, 403)),
    ({"X-Appwrite-JWT": "x", "Origin": "http://evil.test"}, (401, 403)),
    ({"X-Appwrite-JWT": "x", "X-Appwrite-Project": "nowhere"}, (400, 404)),
    ({"Origin": "http://evil.test"}, (403, 403)),
    ({}, (401, 401)),
]


@pytest.mark.parametrize(("headers", "statuses"), ORDER)
async def test_the_order_of_checks(api: Api, headers: dict[str, str], statuses: tuple[int, int]):
    """Of several faults the first in the era's order is told (docs/contract.md#order-of-checks)."""
    for modern, status in zip((False, True), statuses, strict=True):
        answer = await api.call("POST", "/v1/account/verification", json={}, headers=headers, modern=modern)
        assert answer.status == status
