"""Try the webhook for an operator: whether it can be reached, over TLS that is to be trusted. Nothing is sent."""

import asyncio
import ssl
from urllib.parse import urlsplit

from service.settings import LOG_SMS
from worker.relays.step_check import StepResult
from worker.sms.webhook import CONNECT, host_of

_MEND = {
    "connect": "check host and port of SMS_URL; a firewall may be in between",
    "tls": "its certificate must be valid for the host in SMS_URL",
}


async def check_webhook(url: str) -> StepResult | None:
    """Try to connect; None where no SMS are set up."""
    if not url:
        return None
    if url == LOG_SMS:
        return StepResult(LOG_SMS, "connect", "warn", "SMS go into the log: for development only")
    name, parts = host_of(url), urlsplit(url)
    port = int(name.rpartition(":")[2])
    try:
        encryption = await asyncio.to_thread(ssl.create_default_context) if parts.scheme == "https" else None
        async with asyncio.timeout(CONNECT):
            _, writer = await asyncio.open_connection(parts.hostname, port, ssl=encryption)
    except ssl.SSLError:
        return _failed(name, "tls", "its certificate or encryption is not to be trusted")
    except (OSError, TimeoutError) as error:
        return _failed(name, "connect", f"it can't be reached ({type(error).__name__})")
    writer.close()
    said = "accepts connections" + (", with a certificate that is valid" if encryption else "")
    return StepResult(name, "tls" if encryption else "connect", "ok", said)


def _failed(name: str, step: str, text: str) -> StepResult:
    return StepResult(name, step, "fail", f"{text}; {_MEND[step]}", passed=False)
