"""Try each relay server step by step (connect, TLS, EHLO, sign-in), and say what mends a step that fails."""

import asyncio
import ssl
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from service.smtp_deadlines import Deadlines
from worker.relays.http.transport import HttpTransport
from worker.relays.outcomes import DeliveryFailure, Stage
from worker.relays.smtp.connection_pool import Bounds, ConnectionPool
from worker.relays.smtp.session import SmtpSession
from worker.relays.smtp_url import SmtpUrl, Tls

# The operator waits for the result, so no step has longer than this, whatever the settings allow.
LONGEST = 20.0
# A certificate is renewed sooner than this before its end.
_SOON = timedelta(days=14)
# What mends a failure at a stage of the session.
MEND: dict[Stage, str] = {
    "address": "correct the address",
    "connect": "check host and port of the relay; a firewall may be in between, many hosts block 25, 465 and 587",
    "banner": "check that the port speaks SMTP: smtps:// begins with TLS (465), smtp:// without (587)",
    "tls": "the relay's certificate must be valid for the host in its URL; ?ca=FILE trusts another authority",
    "ehlo": "set SMTP_HELO to a host name that the DNS knows, best of the address that you connect from",
    "auth": "check user and password, in SMTP_URL percent-encoded; some relays want an app password, or ?oauth=FILE",
    "mail": "have the sender's domain verified at the relay, or change the sender: MAIL_FROM, --sender-address",
    "rcpt": "try another recipient; a relay that refuses them all does not relay for this user or address",
    "data": "read the reply: the relay refuses the message",
    "dot": "read the reply: the relay refuses the sender or the message",
}


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step at one relay: `warn` may pass by itself, `fail` needs an operator; one not passed ends the session."""

    relay: str
    step: str
    state: Literal["ok", "warn", "fail"]
    message: str
    passed: bool = True


async def check_steps(servers: tuple[SmtpUrl, ...], deadlines: Deadlines) -> list[StepResult]:
    """Check all servers at once; results in their order. Raises OSError for a `ca` file that holds no certificate."""
    short = shortened(deadlines)
    return [step for steps in await asyncio.gather(*(_try(server, short) for server in servers)) for step in steps]


def shortened(deadlines: Deadlines) -> Deadlines:
    """Return the deadlines of a session for which an operator waits."""
    return Deadlines(**{step: min(seconds, LONGEST) for step, seconds in asdict(deadlines).items()})


def failed(relay: str, fault: DeliveryFailure) -> StepResult:
    """Describe a failure, with what mends it."""
    text = f"{fault.code} {fault.text}" if fault.code else fault.text
    mend = MEND.get(fault.stage, "")
    state: Literal["warn", "fail"] = "fail" if fault.cause == "ours" else "warn"
    return StepResult(relay, fault.stage, state, f"{text}; {mend}", passed=False)


async def _try(server: SmtpUrl, deadlines: Deadlines) -> list[StepResult]:
    if server.provider:
        return await _try_provider(server, deadlines)
    opened = await ConnectionPool(server, Bounds(1, 1, 0), deadlines).open()
    steps = _steps(server)
    if isinstance(opened, DeliveryFailure):
        reached = steps.index(opened.stage) if opened.stage in steps else 0
        return [*(_passed(server, step, None) for step in steps[:reached]), failed(server.name, opened)]
    results = [_passed(server, step, opened) for step in steps]
    await opened.quit()
    return results


async def _try_provider(server: SmtpUrl, deadlines: Deadlines) -> list[StepResult]:
    """Reach a provider; whether it takes the key only a mail shows."""
    connections = HttpTransport(server, 1, deadlines)
    try:
        fault = await connections.probe()
    finally:
        await connections.close()
    if fault:
        return [failed(server.name, fault)]
    message = f"answers; whether {server.provider} takes the key, `mails test --to` shows"
    return [StepResult(server.name, "connect", "ok", message)]


def _steps(server: SmtpUrl) -> list[Stage]:
    """List the stages of a session with this server, in order."""
    orders: dict[Tls, list[Stage]] = {
        "implicit": ["connect", "tls", "banner", "ehlo", "auth"],
        "starttls": ["connect", "banner", "ehlo", "tls", "auth"],
        "none": ["connect", "banner", "ehlo", "auth"],
    }
    return orders[server.tls]


def _passed(server: SmtpUrl, step: Stage, session: SmtpSession | None) -> StepResult:
    if step == "tls" and session is not None:
        return _encrypted(server, session)
    how = "an access token" if server.oauth else "a password"
    said = {
        "connect": "accepts connections",
        "tls": "encrypted, with a certificate that is valid",
        "banner": "speaks SMTP",
        "ehlo": f"accepts the name {server.helo or 'localhost'}",
        "auth": f"signed in with {how}" if server.username else "asks for no sign-in: its URL names no user",
    }[step]
    return StepResult(server.name, step, "ok", said)


def _encrypted(server: SmtpUrl, session: SmtpSession) -> StepResult:
    """Describe the encryption; a certificate that ends soon stops all mails then."""
    transport = session.smtp.transport
    encryption: ssl.SSLObject | None = transport.get_extra_info("ssl_object") if transport else None
    if encryption is None:
        return StepResult(server.name, "tls", "fail", f"not encrypted; {MEND['tls']}", passed=False)
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str((encryption.getpeercert() or {})["notAfter"])), UTC)
    message = f"{encryption.version()}, with a certificate that is valid until {until:%Y-%m-%d}"
    if until - datetime.now(UTC) < _SOON:
        return StepResult(server.name, "tls", "warn", f"{message}: the relay has to renew it")
    return StepResult(server.name, "tls", "ok", message)
