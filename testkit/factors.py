"""Second factors as their user has them: an authenticator app by Postgres's clock, and the codes of letters."""

from dataclasses import dataclass
from typing import Any

from service.crypto import totp
from service.crypto.secret import Secret
from service.db import Executor
from service.settings import Settings
from service.store import token_secrets
from service.store.tokens import Token
from testkit.api import Api

PATH = "/v1/account/mfa"
AUTHENTICATOR, RECOVERY = f"{PATH}/authenticators/totp", f"{PATH}/recovery-codes"
CHALLENGES = f"{PATH}/challenges"


@dataclass
class App:
    """An authenticator app that has scanned a secret. Each code that it gives is one that was not used before."""

    pool: Executor
    secret: Secret

    async def step(self) -> int:
        row = await self.pool.fetchrow("select floor(extract(epoch from clock_timestamp()) / 30)::bigint")
        return int(row[0])

    async def code(self, ahead: int = 0) -> str:
        return totp.code_at(self.secret, await self.step() + ahead)

    async def unused(self) -> str:
        """Return the code of now, after making the app's earlier codes unused again: nobody waits for half a minute."""
        await self.pool.execute("update authenticators set last_step = 0")
        return await self.code()


@dataclass
class Person:
    """A member over HTTP who has second factors."""

    api: Api
    pool: Executor
    headers: dict[str, str]

    async def call(self, method: str, path: str, **body: Any) -> Any:
        return await self.api.call(method, path, headers=self.headers, json=body, modern=True)

    async def enrol(self) -> App:
        """Add an authenticator app, and use its first code."""
        made = await self.call("POST", AUTHENTICATOR)
        assert made.status == 200, made.data
        app = App(self.pool, Secret(made.data["secret"]))
        proved = await self.call("PUT", AUTHENTICATOR, otp=await app.code())
        assert proved.status == 200, proved.data
        return app

    async def challenge(self, factor: str) -> str:
        made = await self.call("POST", CHALLENGES, factor=factor)
        assert made.status == 201, made.data
        return str(made.data["$id"])

    async def answer(self, challenge: str, otp: str) -> Any:
        return await self.call("PUT", CHALLENGES, challengeId=challenge, otp=otp)

    async def prove(self, factor: str, otp: str) -> Any:
        return await self.answer(await self.challenge(factor), otp)


async def verified(api: Api, pool: Executor, email: str = "ann@example.com") -> Person:
    """Sign a user up whose address is proved, and in."""
    await api.sign_up(email)
    await pool.execute("update users set email_verified = true where email = $1", email)
    return await signed_in(api, pool, email)


async def signed_in(
    api: Api, pool: Executor, email: str = "ann@example.com", password: str = "correct horse"
) -> Person:
    return Person(api, pool, await api.sign_in(email, password))


async def mailed_code(pool: Executor, settings: Settings) -> str:
    """Return the code of the newest e-mail challenge, as the worker would write it."""
    row = await pool.fetchrow("select * from tokens where kind = 'mfa_email' order by created_at desc limit 1")
    token = Token(
        row["project_id"], row["id"], row["kind"], row["user_id"], row["asked_as"], row["email"],
        row["email_version"], row["kid"], row["created_at"], row["expires_at"],
    )  # fmt: skip
    return token_secrets.code_of(settings.key_ring, token).reveal()
