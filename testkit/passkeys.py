"""Passkeys over HTTP: a member makes them, and anybody signs in with one."""

from typing import Any

from service.db import Executor
from service.http.middleware import SERVICES
from service.store import projects
from testkit.api import Api, cookie_of
from testkit.authenticator import Authenticator
from testkit.factors import Person

PATH, TOKENS = "/v1/account/passkeys", "/v1/account/tokens/passkey"
SESSION = "/v1/account/sessions/token"


async def switch_on(api: Api, pool: Executor, *, rp_id: str = "shop.example", **rules: Any) -> None:
    """Give the project passkeys, from now on: settings are believed for a second."""
    await projects.change(pool, "shop", **{"passkeys": True, "rp_id": rp_id, **rules})
    forget_projects(api)


def forget_projects(api: Api) -> None:
    api.client.app[SERVICES].projects._seen.clear()


async def begin(person: Person, **body: Any) -> Any:
    made = await person.call("POST", PATH, **body)
    assert made.status == 201, made.data
    return made.data


async def finish(person: Person, begun: dict[str, Any], credential: dict[str, Any]) -> Any:
    return await person.call("PUT", f"{PATH}/{begun['passkeyId']}/verification", credential=credential)


async def add(person: Person, authenticator: Authenticator | None = None, **body: Any) -> tuple[str, Authenticator]:
    """Make a passkey; returns its id, and the authenticator that holds it."""
    begun = await begin(person, **body)
    credential, holder = (authenticator or Authenticator()).create(begun["publicKey"])
    made = await finish(person, begun, credential)
    assert made.status == 200, made.data
    return begun["passkeyId"], holder


async def challenge(api: Api, **more: Any) -> Any:
    begun = await api.call("POST", TOKENS, json={}, modern=True, **more)
    assert begun.status == 201, begun.data
    return begun.data


async def prove(api: Api, begun: dict[str, Any], credential: dict[str, Any]) -> Any:
    body = {"challengeId": begun["$id"], "credential": credential}
    return await api.call("PUT", TOKENS, json=body, modern=True)


async def sign(api: Api, authenticator: Authenticator) -> Any:
    """Return the answer to a whole ceremony of sign-in: a token, or a refusal."""
    begun = await challenge(api)
    return await prove(api, begun, authenticator.get(begun["publicKey"]))


async def open_session(api: Api, token: Any) -> Any:
    body = {"userId": token["userId"], "secret": token["secret"]}
    return await api.call("POST", SESSION, json=body, modern=True)


async def enter(api: Api, pool: Executor, authenticator: Authenticator) -> Person:
    """Sign in with a passkey."""
    signed = await sign(api, authenticator)
    assert signed.status == 201, signed.data
    opened = await open_session(api, signed.data)
    assert opened.status == 201, opened.data
    return Person(api, pool, {"Cookie": cookie_of(opened)})
