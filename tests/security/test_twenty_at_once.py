"""Everything that works once, used by twenty requests at once: one of them gets it (S13).

Ceremonies of passkeys are raced in test_passkeys.py, the steps of an app and recovery codes in
tests/integration/api/test_mfa.py, sign-ins by a provider in test_oauth_flows.py; there one code is good for several
challenges, or an answer uses up what no token stands for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.crypto import password_hashing
from service.db import Pool
from service.settings import Settings
from service.store.tokens import Kind
from testkit import passkeys
from testkit.api import Api, one_won
from testkit.factors import Person, mailed_code
from testkit.first_tab import ask, enter, mailed_secret
from testkit.phones import ANN as NUMBER
from testkit.phones import SESSION, TOKENS, VERIFICATION, code_of
from testkit.proofs import WAYS, Post, use
from testkit.visitor import change_project
from tests.security.test_notices import link

pytestmark = [pytest.mark.usefixtures("cheap"), pytest.mark.unlimited]
_PASSWORDS = {"password": "correct horse", "oldPassword": "correct horse"}
Attempt = Callable[[], Awaitable[Any]]


class Ready:
    """A member with an address and a number that are proved, and what is prepared for each kind of token."""

    def __init__(self, api: Api, pool: Pool, settings: Settings, person: Person, user_id: str) -> None:
        self.api, self.pool, self.settings, self.person, self.user_id = api, pool, settings, person, user_id

    async def way(self, kind: Kind) -> Attempt:
        way = next(way for way in WAYS if way.kind is kind)
        proof = await Post(self.pool, self.settings).issue(kind, self.user_id)
        return lambda: use(self.api, way, proof, modern=True)

    async def passkey(self) -> Attempt:
        await passkeys.switch_on(self.api, self.pool)
        _, holder = await passkeys.add(self.person)
        token = (await passkeys.sign(self.api, holder)).data
        return lambda: passkeys.open_session(self.api, token)

    async def first_tab(self) -> Attempt:
        await change_project(self.api, magic_links="first-tab")
        tab = await ask(self.api)
        await enter(self.api, await mailed_secret(self.pool, self.settings), tab.number)
        return tab.open

    async def phone_login(self) -> Attempt:
        asked = {"userId": "asked", "phone": NUMBER}
        assert (await self.api.call("POST", TOKENS, json=asked, modern=True)).status == 201
        body = {"userId": "asked", "secret": await code_of(self.pool, self.settings)}
        return lambda: self.api.call("PUT", SESSION, json=body, modern=True)

    async def phone_verification(self) -> Attempt:
        await self.pool.execute("update users set phone_verified_at = null, phone_by_holder = false")
        assert (await self.person.call("POST", VERIFICATION)).status == 201
        body = {"userId": self.user_id, "secret": await code_of(self.pool, self.settings)}
        return lambda: self.person.call("PUT", VERIFICATION, **body)

    async def challenge(self, factor: str) -> Attempt:
        challenge = await self.person.challenge(factor)
        code = mailed_code if factor == "email" else code_of
        otp = await code(self.pool, self.settings)
        return lambda: self.person.answer(challenge, otp)

    async def notice(self, kind: Kind) -> Attempt:
        if kind is Kind.EMAIL_UNDO:
            path, body = "/v1/account/email", {"email": "new@example.com", "password": "correct horse"}
        else:
            path, body = "/v1/account/password", _PASSWORDS
        assert (await self.person.call("PATCH", path, **body)).status == 200
        path, _, query = (await link(self.pool, self.settings, kind)).partition("?")
        fields = dict(part.split("=", 1) for part in query.split("&"))
        return lambda: self.api.call("POST", f"{path}?project=shop", data=fields)

    async def of(self, kind: Kind) -> Attempt:
        if kind in (Kind.ACCOUNT_UNDO, Kind.EMAIL_UNDO):
            return await self.notice(kind)
        if kind in (Kind.MFA_EMAIL, Kind.MFA_PHONE):
            return await self.challenge("email" if kind is Kind.MFA_EMAIL else "phone")
        others = {
            Kind.PASSKEY: self.passkey,
            Kind.FIRST_TAB: self.first_tab,
            Kind.PHONE_LOGIN: self.phone_login,
            Kind.PHONE_VERIFICATION: self.phone_verification,
        }
        return await others[kind]() if kind in others else await self.way(kind)


@pytest.fixture
async def ready(sms_api: Api, pool: Pool, settings: Settings) -> Ready:
    user = await sms_api.sign_up()
    await pool.execute(
        "update users set email_verified = true, proved_by_holder = true, phone = $1, phone_version = 1,"
        " phone_verified_at = now(), phone_by_holder = true",
        NUMBER,
    )
    return Ready(sms_api, pool, settings, Person(sms_api, pool, await sms_api.sign_in()), user["$id"])


@pytest.mark.parametrize("kind", Kind)
async def test_s13_of_twenty_at_once_one_gets_it(ready: Ready, kind: Kind, monkeypatch: pytest.MonkeyPatch):
    """A token of each kind: one success, nineteen refusals, one session at most and one event."""
    monkeypatch.setattr(password_hashing, "_PATIENCE", 30.0)  # a busy machine may hash slowly
    attempt = await ready.of(kind)
    before = await _written(ready.pool)
    statuses = [answer.status for answer in await asyncio.gather(*(attempt() for _ in range(20)))]
    assert one_won(statuses), statuses
    after = await _written(ready.pool)
    assert after[0] - before[0] <= 1, "one session at most"
    # A wrong answer to a challenge is an event of its own, and so is the refusal of one that is used up.
    assert after[1] - before[1] == 1, "one event of what was done"
    assert await ready.pool.fetch("select from tokens where kind = $1", kind.value) == []


async def _written(pool: Pool) -> tuple[int, int]:
    row = await pool.fetchrow(
        "select (select count(*) from sessions),"
        " (select count(*) from events where name not in ('account.challenges.failed', 'account.identities.create'))"
    )
    return row[0], row[1]
