"""The main road as a server takes it: the official Python SDK of the old era, signed in by JWT alone.

It has no method for signing up, for signing in or for making a JWT: those three are plain HTTP with the cookie.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from appwrite.client import Client
from appwrite.exception import AppwriteException
from appwrite.services.account import Account

from service.errors import CredentialsInvalid, RecoveryTokenInvalid, ScopeMissing, VerificationTokenInvalid
from testkit.api import Api
from testkit.letters import link_of, parameters_of
from testkit.patience import PATIENCE
from tests.e2e.conftest import Deployment


async def test_from_sign_up_to_a_new_password(deployment: Deployment):
    """An unchanged SDK verifies an address, recovers a password, reads the log and signs out, all by JWT."""
    async with aiohttp.ClientSession(deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as browser:
        api = Api(browser)
        user = await api.sign_up(password="old password")
        member = await api.sign_in(password="old password")
        account = await _sdk(deployment, api, member)
        assert await asked(account.get) == user

        await _verify(deployment, account)
        assert await asked(account.get) == user | {"emailVerification": True}

        await _recover(deployment, account, user["$id"])
        assert await refused(account.get) == seen(ScopeMissing), "recovery ended the session that the JWT stands for"
        wrong = {"email": "ann@example.com", "password": "old password"}
        answer = await api.call("POST", "/v1/account/sessions", json=wrong)
        assert (answer.status, answer.data["message"]) == seen(CredentialsInvalid)

        member = await api.sign_in(password="new password")
        account = await _sdk(deployment, api, member)
        assert await _log(account, count=7) == [
            "account.sessions.create",
            "account.recovery.update",
            "account.recovery.create",
            "account.verification.update",
            "account.verification.create",
            "account.sessions.create",
            "account.create",
        ]
        await _sign_out(api, account, member)


async def test_a_guest_is_told_so(deployment: Deployment):
    """Without a JWT the SDK is nobody, with a spoilt one it is refused: both arrive as its own exception."""
    guest = Client().set_endpoint(f"{deployment.address}/v1").set_project("shop")
    assert await refused(Account(guest).get) == seen(ScopeMissing)
    code, message = await refused(Account(guest.set_jwt("a.b.c")).get)
    assert code == 401
    assert message.startswith("Failed to verify JWT. ")


async def asked(method: Callable[..., Any], *arguments: str) -> Any:
    """An answer as the SDK, which knows no asyncio, returns it."""
    return await asyncio.to_thread(method, *arguments)


async def refused(method: Callable[..., Any], *arguments: str) -> tuple[int, str]:
    """Code and message of the exception that the SDK raises."""
    with pytest.raises(AppwriteException) as caught:
        await asked(method, *arguments)
    assert caught.value.response["code"] == caught.value.code
    return caught.value.code, caught.value.message


def seen(error: type[Any]) -> tuple[int, str]:
    """One of our errors as a client of the old SDKs sees it."""
    return error().render(legacy=True)


async def _sdk(deployment: Deployment, api: Api, member: dict[str, str]) -> Account:
    """The SDK with a fresh JWT of a session and nothing else: neither cookie nor key."""
    answer = await api.call("POST", "/v1/account/jwt", headers=member)
    assert answer.status == 201, answer.data
    client = Client().set_endpoint(f"{deployment.address}/v1").set_project("shop").set_jwt(answer.data["jwt"])
    return Account(client)


async def _verify(deployment: Deployment, account: Account) -> None:
    token = await asked(account.create_verification, "http://localhost/verify?from=mail")
    assert token["secret"] == "", "only the mail holds the secret"
    link = link_of((await deployment.sink.wait_for(1))[0])
    assert link.startswith("http://localhost/verify?from=mail&userId=")
    proof = parameters_of(link)
    assert int(proof["expire"]) == token["expire"], "the old era's links carry unix seconds"
    used = await asked(account.update_verification, proof["userId"], proof["secret"])
    assert used["userId"] == proof["userId"]
    assert await refused(account.update_verification, proof["userId"], proof["secret"]) == seen(
        VerificationTokenInvalid
    )


async def _recover(deployment: Deployment, account: Account, user_id: str) -> None:
    token = await asked(account.create_recovery, "ann@example.com", "http://localhost/reset")
    assert token["userId"] != user_id, "who asks does not learn whose account it is"
    proof = parameters_of(link_of((await deployment.sink.wait_for(2))[1]))
    assert proof["userId"] == user_id
    choice = (user_id, proof["secret"], "new password", "new password")
    code, message = await refused(account.update_recovery, *choice[:3], "another one")
    assert (code, message) == (400, "Passwords must match")
    used = await asked(account.update_recovery, *choice)
    assert used["userId"] == user_id
    # Its session is gone now: with the same JWT the SDK is a guest, who may still knock here.
    assert await refused(account.update_recovery, *choice) == seen(RecoveryTokenInvalid)


async def _log(account: Account, *, count: int) -> list[str]:
    """The events of the log once the worker has filed them."""
    async with asyncio.timeout(PATIENCE):
        while True:
            events = [entry["event"] for entry in (await asked(account.get_logs))["logs"]]
            if len(events) == count and events[0] == "account.sessions.create":
                return events
            await asyncio.sleep(0.1)


async def _sign_out(api: Api, account: Account, member: dict[str, str]) -> None:
    """`current` is the JWT's own session; with it both its JWT and its cookie are dead."""
    assert (await api.call("GET", "/v1/account", headers=member)).status == 200
    assert await asked(account.delete_session, "current") == b""
    assert await refused(account.get) == seen(ScopeMissing)
    assert (await api.call("GET", "/v1/account", headers=member)).status == 401
