"""Fixtures of the tests of tokens and accounts: an account, a token of each kind, the request that redeems it."""

from dataclasses import dataclass, field
from typing import Any

from service.db import Pool
from service.settings import Settings
from service.store import tokens
from service.store.tokens import Kind
from testkit.api import Api

ANN = "ann@example.com"


@dataclass(frozen=True)
class Way:
    """A route on which a mailed secret is used up, and the status of its success."""

    kind: Kind
    method: str
    path: str
    status: int


WAYS = (
    Way(Kind.RECOVERY, "PUT", "/v1/account/recovery", 200),
    Way(Kind.VERIFICATION, "PUT", "/v1/account/verification", 200),
    Way(Kind.VERIFICATION, "PUT", "/v1/account/verifications/email", 200),
    Way(Kind.MAGIC_URL, "PUT", "/v1/account/sessions/magic-url", 201),
    Way(Kind.MAGIC_URL, "POST", "/v1/account/sessions/token", 201),
    Way(Kind.OTP, "POST", "/v1/account/sessions/token", 201),
)
# Requested by an address: they have no user until they are redeemed.
BY_ADDRESS = (Kind.MAGIC_URL, Kind.OTP)


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
        owner = {} if kind in BY_ADDRESS else {"user_id": user_id, "email_version": version}
        requested = {"requested_user_id": asked_as or user_id} if kind in BY_ADDRESS else {}
        token = await tokens.issue(
            self.pool, self.project, kind=kind, email=email, kid=next(iter(ring)), seconds=600, **owner, **requested
        )
        return Proof(token.id, requested.get("requested_user_id", user_id), tokens.secret_of(ring, token))


async def use(api: Api, way: Way, proof: Proof, **more: Any) -> Any:
    return await api.call(way.method, way.path, json=proof.body | more.pop("body", {}), **more)


async def deadlocks(pool: Pool) -> int:
    """Deadlocks of this database since it was made; tests that make one share it, so compare two readings."""
    await pool.execute("select pg_stat_force_next_flush()")
    return int((await pool.fetchrow("select deadlocks from pg_stat_database where datname = current_database()"))[0])
