"""Members with phones, and the codes of their SMS."""

from dataclasses import dataclass
from typing import Any

from service.db import Executor
from service.settings import Settings
from service.store import token_secrets
from service.store.tokens import Token
from testkit.api import Api

ANN, BOB = "+4915112345678", "+4915187654321"
# As people write it, which the service does not repair.
NUMBER = "0151 12345678"
CODE = "271828"
VERIFICATION, SESSION = "/v1/account/verifications/phone", "/v1/account/sessions/phone"
TOKENS = "/v1/account/tokens/phone"


async def code_of(pool: Executor, settings: Settings) -> str:
    """Return the code of the newest SMS's token, as the worker would write it."""
    row = await pool.fetchrow(
        "select * from tokens where kind in ('phone_login', 'phone_verification', 'mfa_phone')"
        " order by created_at desc, id desc limit 1"
    )
    token = Token(
        row["project_id"], row["id"], row["kind"], row["user_id"], row["asked_as"], row["email"],
        row["email_version"], row["kid"], row["created_at"], row["expires_at"],
    )  # fmt: skip
    return token_secrets.code_of(settings.key_ring, token).reveal()


@dataclass
class Phone:
    """A member over HTTP who has a phone; without headers, a guest."""

    api: Api
    headers: dict[str, str]

    async def call(self, method: str, path: str, **body: Any) -> Any:
        return await self.api.call(method, path, headers=self.headers, json=body, modern=True)

    async def set_number(self, number: str, *, password: str = "correct horse") -> Any:
        return await self.call("PATCH", "/v1/account/phone", phone=number, password=password)

    async def sign_in_by_code(self, pool: Executor, settings: Settings, number: str, asked_as: str = "asked") -> Any:
        token = await self.api.call("POST", TOKENS, json={"userId": asked_as, "phone": number}, modern=True)
        assert token.status == 201, token.data
        body = {"userId": asked_as, "secret": await code_of(pool, settings)}
        return await self.api.call("PUT", SESSION, json=body, modern=True)
