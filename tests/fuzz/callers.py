"""Callers of the service while it is fuzzed, with real users, sessions, JWTs, keys and links."""

import contextlib
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from service import ids
from service.clientinfo import user_agents
from service.crypto import key_derivation
from service.crypto.jwts import Jwts
from service.crypto.password_hashing import PasswordHashPool
from service.db import Pool
from service.errors import UserExists
from service.http import session_cookies
from service.settings import Settings
from service.store import projects, sessions, token_secrets, tokens, users
from service.store.sessions import ClientInfo
from service.store.tokens import Kind

PASSWORD = "correct horse"
SCOPES = ["account", "events.read", "sessions.write", "users.read", "users.write"]
# What a body with id and secret may prove.
PROOFS = {
    "update_recovery": Kind.RECOVERY,
    "update_verification": Kind.VERIFICATION,
    "update_magic_url": Kind.MAGIC_URL,
    "create_token_session": Kind.OTP,
    "update_verification_otp": Kind.VERIFICATION_OTP,
    "update_recovery_otp": Kind.RECOVERY_OTP,
}


@dataclass
class Cast:
    """Makes people straight in the database: a sign-up over HTTP costs a hash each."""

    pool: Pool
    settings: Settings
    number: "count[int]" = field(default_factory=count)
    password_hash: str = ""

    async def prepare(self) -> None:
        passwords = PasswordHashPool(1)
        self.password_hash = await passwords.hash(PASSWORD)
        passwords.close()

    async def clear(self) -> None:
        """Nobody is there any more; names begin again."""
        await self.pool.execute("delete from users")
        self.number = count()

    async def user(self) -> users.User:
        """The next one whose name the fuzzing has not taken."""
        while True:
            name = f"user{next(self.number)}"
            with contextlib.suppress(UserExists):
                return await users.create(
                    self.pool,
                    "shop",
                    user_id=name,
                    email=f"{name}@example.com",
                    name=name,
                    password_hash=self.password_hash,
                )

    async def session(self) -> tuple[users.User, str, str]:
        """A new user with its session's id and secret."""
        user = await self.user()
        session, secret = await sessions.open_session(
            self.pool,
            user,
            provider="email",
            provider_uid=user.email or "",
            place=ClientInfo("127.0.0.1", "--", user_agents.parse("fuzz")),
            seconds=3600,
        )
        return user, session.id, secret

    async def guest(self) -> dict[str, str]:
        return {}

    async def member(self) -> dict[str, str]:
        user, _, secret = await self.session()
        return {"X-Appwrite-Session": session_cookies.encode(user.id, secret)}

    async def jwt(self) -> dict[str, str]:
        user, session_id, _ = await self.session()
        token = Jwts(self.settings.key_ring).sign("shop", user_id=user.id, session_id=session_id)
        return {"X-Appwrite-JWT": token}

    async def key(self) -> dict[str, str]:
        name = ids.new()
        return {
            "X-Appwrite-Key": await projects.create_api_key(self.pool, "shop", key_id=name, name=name, scopes=SCOPES)
        }

    async def proof(self, operation: str) -> dict[str, Any]:
        """Id and secret as a mail would bring them."""
        kind, user = PROOFS[operation], await self.user()
        ring = self.settings.key_ring
        whose = {} if kind in tokens.BY_ADDRESS else {"user_id": user.id}
        if kind in {*tokens.BY_ADDRESS, *tokens.CODES}:
            whose["requested_user_id"] = user.id
        token = await tokens.issue(
            self.pool, "shop", kind=kind, email=user.email or "", kid=key_derivation.current(ring), seconds=3600,
            email_version=user.email_version, **whose,
        )  # fmt: skip
        return {"userId": user.id, "secret": token_secrets.secret_of(ring, token)}
