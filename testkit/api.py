"""The service over HTTP as tests ask it, and the tables that they empty."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from testkit.waiting import until

# What a test leaves behind, children first; deleting costs a tenth of truncating.
TABLES = (
    "acts", "windows", "window_resets", "logs", "log_chains", "log_checkpoints", "events", "mail_events", "mails",
    "sms", "tokens", "challenges", "recovery_codes", "mfa_changes", "phone_changes", "authenticators",
    "passkey_challenges", "passkeys", "identities", "missed_guesses", "targets", "sessions", "users", "api_keys",
    "webhook_deliveries",
    "platforms", "projects",
)  # fmt: skip


@dataclass
class Api:
    """The service over HTTP, as a client of the project sees it; `modern` makes it speak as today's SDKs do."""

    client: Any

    async def call(
        self, method: str, path: str, *, modern: bool = False, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> Any:
        """Send a request and return its answer, with the JSON in `answer.data`."""
        merged = {"X-Appwrite-Project": "shop"}
        if modern:
            merged["X-Appwrite-Response-Format"] = "1.9.5"
        merged |= headers or {}
        merged = {name: value for name, value in merged.items() if value is not None}
        answer = await self.client.request(method, path, headers=merged, **kwargs)
        answer.data = await answer.json() if answer.content_type == "application/json" else await answer.text()
        return answer

    async def sign_up(self, email: str = "ann@example.com", password: str = "correct horse") -> dict[str, Any]:
        return (await self._create("/v1/account", email, password)).data

    async def sign_in(self, email: str = "ann@example.com", password: str = "correct horse") -> dict[str, str]:
        """Make the header of a member's requests."""
        return {"Cookie": cookie_of(await self._create("/v1/account/sessions", email, password))}

    async def _create(self, path: str, email: str, password: str) -> Any:
        """Post until it is done: on a busy machine a hash may meet the deadline of its request, as 503 says."""

        async def post() -> Any:
            answer = await self.call("POST", path, json={"email": email, "password": password})
            assert answer.status in (201, 503), answer.data
            return answer if answer.status == 201 else None

        return await until(post)


def cookie_of(answer: Any) -> str:
    """Return the last cookie that an answer sets, as a browser would send it back."""
    return answer.headers.getall("Set-Cookie")[-1].partition(";")[0]


def kind(answer: Any) -> tuple[int, str]:
    """Return status and type of an error."""
    return answer.status, answer.data.get("type", "") if isinstance(answer.data, dict) else ""


def one_won(statuses: Iterable[int]) -> bool:
    """Tell whether of requests that used one secret at once one got in, and the others nothing.

    On a machine that is too busy to let twenty wait for one row a loser may be told to come again.
    """
    first, *others = sorted(statuses)
    return first in (200, 201) and {*others} <= {401, 503}
