"""Fixtures of the tests of tokens and accounts: an account, a token of each kind, the request that redeems it."""

from dataclasses import dataclass, field
from typing import Any

from service.crypto.key_derivation import KeyRing
from service.db import Executor, Pool
from service.settings import Settings
from service.store import identity_tokens, token_lookups, token_secrets, tokens
from service.store.tokens import Kind, Token
from testkit.api import Api

ANN = "ann@example.com"


@dataclass(frozen=True)
class Way:
    """A route on which a secret is used up, the status of its success, and the wrong guesses that kill a token."""

    kind: Kind
    method: str
    path: str
    status: int
    guesses: int = 5


WAYS = (
    Way(Kind.RECOVERY, "PUT", "/v1/account/recovery", 200),
    Way(Kind.VERIFICATION, "PUT", "/v1/account/verification", 200),
    Way(Kind.VERIFICATION, "PUT", "/v1/account/verifications/email", 200),
    Way(Kind.MAGIC_URL, "PUT", "/v1/account/sessions/magic-url", 201),
    Way(Kind.MAGIC_URL, "POST", "/v1/account/sessions/token", 201),
    Way(Kind.OTP, "POST", "/v1/account/sessions/token", 201),
    Way(Kind.VERIFICATION_OTP, "PUT", "/v1/account/verifications/email/otp", 200),
    Way(Kind.RECOVERY_OTP, "PUT", "/v1/account/recovery/otp", 200, guesses=3),
    Way(Kind.CUSTOM, "POST", "/v1/account/sessions/token", 201),
    Way(Kind.OAUTH2, "POST", "/v1/account/sessions/token", 201),
)
# Routes of other kinds, which tests of their own use up: test_passkeys.py and test_phone_codes.py of tests/security.
OTHER_ROUTES = {Kind.PASSKEY: ["/v1/account/sessions/token"], Kind.PHONE_LOGIN: ["/v1/account/sessions/token"]}
# Looked up under the id that they were asked for with.
BY_ID = (*tokens.CODES, Kind.CUSTOM)


@dataclass(frozen=True)
class Proof:
    """A token's row as it was made, and what its mail carries."""

    id: str
    user_id: str
    secret: str

    @property
    def body(self) -> dict[str, str]:
        password = {"password": "another horse", "passwordAgain": "another horse"}
        return {"userId": self.user_id, "secret": self.secret, **password}


@dataclass
class Post:
    """Issues tokens as the API and the worker do together, without the mail between them."""

    pool: Pool
    settings: Settings
    project: str = "shop"
    facts: dict[str, Any] = field(default_factory=dict)

    async def issue(self, kind: Kind, user_id: str, *, email: str = ANN, version: int = 1, asked_as: str = "") -> Proof:
        ring = self.settings.key_ring
        owner = {} if kind in tokens.BY_ADDRESS else {"user_id": user_id, "email_version": version}
        requested = {"requested_user_id": asked_as or user_id} if kind in {*tokens.BY_ADDRESS, *BY_ID} else {}
        length = {"secret_length": 6} if kind is Kind.CUSTOM else {}
        token = await tokens.issue(
            self.pool, self.project, kind=kind, email=email, kid=next(iter(ring)), seconds=600,
            **owner, **requested, **length,
        )  # fmt: skip
        if kind is Kind.OAUTH2:
            await self._sign_in_by(token)
        secret = token_secrets.custom_secret(ring, token, length=6) if length else token_secrets.secret_of(ring, token)
        return Proof(token.id, requested.get("requested_user_id", user_id), secret)

    async def _sign_in_by(self, token: Token) -> None:
        """Note the identity that the token is of, which its user gets for that."""
        await self.pool.execute(
            "insert into identities (project_id, user_id, id, provider, issuer, subject) values ($1, $2, $3, 'oidc', "
            "'https://issuer.example', $3)",
            token.project_id, token.user_id, token.id,
        )  # fmt: skip
        facts = {"token_id": token.id, "identity_id": token.id, "two_factors": False}
        await identity_tokens.record(self.pool, token.project_id, **facts)


async def use(api: Api, way: Way, proof: Proof, **more: Any) -> Any:
    return await api.call(way.method, way.path, json=proof.body | more.pop("body", {}), **more)


async def find_by_code(conn: Executor, *, kind: Kind, requested_user_id: str, code: str, ring: KeyRing) -> Token | None:
    """Count a guess at a code of the shop and compare it, as service/accounts/mailed_codes.py does."""
    asked = {"kind": kind, "requested_user_id": requested_user_id}
    candidates = await token_lookups.count_code_attempts(conn, "shop", **asked, length=len(code))
    return token_secrets.match_code(candidates, "shop", **asked, code=code, ring=ring)


async def deadlocks(pool: Pool) -> int:
    """Deadlocks of this database since it was made; tests that make one share it, so compare two readings."""
    await pool.execute("select pg_stat_force_next_flush()")
    return int((await pool.fetchrow("select deadlocks from pg_stat_database where datname = current_database()"))[0])
