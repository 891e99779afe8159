"""A dialogue with each relay up to where a mail would begin: TLS, names and signing in, with nothing sent."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Literal

from service.settings import Deadlines
from worker.smtp.connection_pool import Bounds, ConnectionPool
from worker.smtp.outcomes import DeliveryFailure
from worker.smtp.smtp_url import SmtpUrl

# Whoever asks waits for it, so a step has no more than this here, however patient the settings are.
_LONGEST = 20.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`look` is what may pass by itself; `wrong` needs an operator."""

    relay: str
    state: Literal["well", "look", "wrong"]
    says: str


async def check_connections(servers: tuple[SmtpUrl, ...], deadlines: Deadlines) -> list[CheckResult]:
    """One verdict a relay, in their order. Raises OSError for a `ca` file that holds no certificate."""
    short = Deadlines(**{step: min(seconds, _LONGEST) for step, seconds in asdict(deadlines).items()})
    return list(await asyncio.gather(*(_try(server, short) for server in servers)))


async def _try(server: SmtpUrl, deadlines: Deadlines) -> CheckResult:
    connections = ConnectionPool(server, Bounds(1, 1, 0), deadlines)
    opened = await connections.open()
    if isinstance(opened, DeliveryFailure):
        return CheckResult(server.name, "wrong" if opened.cause == "ours" else "look", str(opened))
    await opened.quit()
    how = "an access token" if server.oauth else "a password"
    signed = f"signed in with {how}" if server.username else "no sign-in is asked for"
    return CheckResult(server.name, "well", f"greets {server.helo or 'localhost'}, {signed}")
