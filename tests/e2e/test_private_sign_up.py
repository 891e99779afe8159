"""Sign-up where nobody learns who has an account: what the mailbox gets, and what works when (S05)."""

import asyncio

import aiohttp

from service.db import Pool
from service.store import projects
from testkit.api import Api
from testkit.letters import link_of, parameters_of, text_of
from testkit.patience import PATIENCE
from tests.e2e.conftest import Deployment

ANN, BOB = "ann@example.com", "bob@example.com"


async def sign_up(api: Api, email: str, password: str):
    body = {"userId": "a-chosen-id", "email": email, "password": password, "name": "Ann"}
    answer = await api.call("POST", "/v1/account", json=body, modern=True)
    assert answer.status == 201
    return answer.data


async def login(api: Api, email: str, password: str) -> tuple[int, str]:
    answer = await api.call("POST", "/v1/account/sessions", json={"email": email, "password": password}, modern=True)
    return answer.status, answer.data.get("type", "")


async def mails(deployment: Deployment, email: str, count: int) -> list:
    """All that the mailbox has got, as soon as it is so many."""
    async with asyncio.timeout(PATIENCE):
        while len(found := [mail for mail in deployment.sink.mails if mail.recipients == (email,)]) < count:  # noqa: ASYNC110 - Postgres and sockets can't be awaited
            await asyncio.sleep(0.05)
    return found


async def test_the_mailbox_decides(deployment: Deployment, pool: Pool):
    """Nobody can sign in before the link was used; whose address is taken is told so by mail, and nobody else is."""
    async with aiohttp.ClientSession(deployment.address, cookie_jar=aiohttp.DummyCookieJar()) as browser:
        api = Api(browser)
        await api.sign_up(BOB, "bobs own horse")
        await projects.change(pool, "shop", private_signup=True)
        await asyncio.wait_for(_private(api), 30)

        promised = await sign_up(api, ANN, "anns own horse")
        assert await login(api, ANN, "anns own horse") == (401, "user_invalid_credentials")
        (mail,) = await mails(deployment, ANN, 1)
        assert promised["$id"] == "a-chosen-id"
        secret = parameters_of(link_of(mail))["secret"]
        body = {"userId": promised["$id"], "secret": secret, "password": "anns own horse"}
        used = [await api.call("PUT", "/v1/account/verification", json=body) for _ in range(2)]
        assert [answer.status for answer in used] == [200, 401]
        assert await login(api, ANN, "anns own horse") == (201, "")

        assert (await sign_up(api, BOB, "not bobs horse")).keys() == promised.keys()
        (notice,) = await mails(deployment, BOB, 1)
        assert "which has an account already" in text_of(notice)
        assert "http" not in text_of(notice)
        assert await login(api, BOB, "not bobs horse") == (401, "user_invalid_credentials")
        assert await login(api, BOB, "bobs own horse") == (201, "")
        made = {tuple(row) for row in await pool.fetch("select id, email, email_verified, name from users")}
        assert ("a-chosen-id", ANN, True, "Ann") in made
        assert len(made) == 2


async def _private(api: Api) -> None:
    """Until the API has seen the project's new rule, which takes it a second."""
    while (await api.call("POST", "/v1/account", json={"email": BOB, "password": "any horse"})).status == 409:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.3)
