"""The main road in a browser's way: sign-up, login, verification, recovery, over HTTP with cookies."""

import asyncio

import aiohttp

from testkit.api import Api
from testkit.letters import link_of, parameters_of
from testkit.patience import PATIENCE
from tests.e2e.conftest import Deployment


async def test_from_sign_up_to_a_new_password(deployment: Deployment):
    """Both letters' links work once and only once, the old password is dead, and the log shows it all."""
    async with aiohttp.ClientSession(deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as client:
        api = Api(client)
        user = await api.sign_up(password="old password")
        member = await api.sign_in(password="old password")
        await _verify(api, deployment, member)
        account = await api.call("GET", "/v1/account", headers=member)
        assert account.data == user | {"emailVerification": True}

        await _recover(api, deployment, user["$id"])
        assert (await api.call("GET", "/v1/account", headers=member)).status == 401, "recovery ends every session"
        wrong = await api.call(
            "POST", "/v1/account/sessions", json={"email": "ann@example.com", "password": "old password"}
        )
        assert wrong.status == 401
        member = await api.sign_in(password="new password")
        assert await _log(api, member, count=7) == [
            "account.sessions.create",
            "account.recovery.update",
            "account.recovery.create",
            "account.verification.update",
            "account.verification.create",
            "account.sessions.create",
            "account.create",
        ]


async def _verify(api: Api, deployment: Deployment, member: dict[str, str]) -> None:
    asked = await api.call(
        "POST", "/v1/account/verification", json={"url": "http://localhost/verify?from=mail"}, headers=member
    )
    assert asked.status == 201
    assert asked.data["secret"] == ""
    mail = (await deployment.sink.wait_for(1))[0]
    assert mail.recipients == ("ann@example.com",)
    proof = parameters_of(link_of(mail))
    assert proof["from"] == "mail"
    assert len(proof["secret"]) == 256
    body = {"userId": proof["userId"], "secret": proof["secret"]}
    assert (await api.call("PUT", "/v1/account/verification", json=body)).status == 200
    assert (await api.call("PUT", "/v1/account/verification", json=body)).status == 401


async def _recover(api: Api, deployment: Deployment, user_id: str) -> None:
    asked = await api.call(
        "POST", "/v1/account/recovery", json={"email": "ANN@example.com", "url": "http://localhost/reset"}
    )
    assert asked.status == 201
    assert asked.data["userId"] != user_id, "who asks does not learn whose account it is"
    link = link_of((await deployment.sink.wait_for(2))[1])
    assert link.startswith("http://localhost/reset?userId=")
    proof = parameters_of(link)
    assert proof["userId"] == user_id
    assert proof["email"] == "ann@example.com"
    body = {
        "userId": user_id, "secret": proof["secret"], "password": "new password", "passwordAgain": "new password",
    }  # fmt: skip
    assert (await api.call("PUT", "/v1/account/recovery", json=body)).status == 200
    again = await api.call("PUT", "/v1/account/recovery", json=body)
    assert again.status == 401
    assert again.data["type"] == "user_invalid_token"


async def _log(api: Api, member: dict[str, str], *, count: int) -> list[str]:
    """The events of the log once the worker has filed them."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await api.call("GET", "/v1/account/logs", headers=member)
            events = [entry["event"] for entry in answer.data["logs"]]
            if len(events) == count and events[0] == "account.sessions.create":
                return events
            await asyncio.sleep(0.1)
