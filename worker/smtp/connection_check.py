"""Check each relay server up to MAIL: TLS, host names and sign-in, with nothing sent."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Literal

from service.settings import Deadlines
from worker.smtp.connection_pool import Bounds, ConnectionPool
from worker.smtp.outcomes import DeliveryFailure
from worker.smtp.smtp_url import SmtpUrl

# The operator waits for the result, so no step has longer than this, whatever the settings allow.
_LONGEST = 20.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result for one relay: `warn` may pass by itself; `fail` needs an operator."""

    relay: str
    state: Literal["ok", "warn", "fail"]
    message: str


async def check_connections(servers: tuple[SmtpUrl, ...], deadlines: Deadlines) -> list[CheckResult]:
    """Check all servers at once; results in their order. Raises OSError for a `ca` file that holds no certificate."""
    short = Deadlines(**{step: min(seconds, _LONGEST) for step, seconds in asdict(deadlines).items()})
    return list(await asyncio.gather(*(_try(server, short) for server in servers)))


async def _try(server: SmtpUrl, deadlines: Deadlines) -> CheckResult:
    connections = ConnectionPool(server, Bounds(1, 1, 0), deadlines)
    opened = await connections.open()
    if isinstance(opened, DeliveryFailure):
        return CheckResult(server.name, "fail" if opened.cause == "ours" else "warn", str(opened))
    await opened.quit()
    how = "an access token" if server.oauth else "a password"
    signed = f"signed in with {how}" if server.username else "no sign-in is asked for"
    return CheckResult(server.name, "ok", f"greets {server.helo or 'localhost'}, {signed}")
