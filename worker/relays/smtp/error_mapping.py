"""Map exceptions of a session (cut, timeout, certificate) to delivery failures."""

import re
import ssl

import aiosmtplib

from service import outages
from service.store.outbox_outcomes import Cause
from worker.relays.outcomes import DeliveryFailure, Stage, TemporaryFailure, one_line
from worker.relays.smtp.reply_codes import of_reply

# Words by which servers refuse the name after EHLO.
_OUR_NAME = re.compile(
    r"\b(?:helo|ehlo)\b|\bhost ?names?\b|\bdomain names?\b|\binvalid (?:domain|name)\b|fully.qualified|\bfqdn\b"
    r"|reverse (?:dns|name|lookup)|\bptr\b",
    re.IGNORECASE,
)
# OpenSSL's message would lead no operator to SMTP_URL.
_PLAIN = "it does not begin with TLS: smtps:// is for ports that do (465), smtp:// for STARTTLS (587)"


def of_error(error: Exception, stage: Stage) -> DeliveryFailure:
    """Map any exception of a session to the failure it means."""
    if isinstance(error, DeliveryFailure):
        return error
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _of_response(error, stage)
    cause: Cause = "server"
    tls = next((each for each in (error, error.__cause__) if isinstance(each, ssl.SSLError)), None)
    if stage == "fence":
        text, cause = f"the check before DATA failed with {type(error).__name__}", "ours"
    elif tls is not None:
        reason = getattr(tls, "verify_message", "") or getattr(tls, "reason", "") or "the encryption broke off"
        text = _PLAIN if reason == "WRONG_VERSION_NUMBER" else one_line(reason)
        # A later TLS error is no question of trust and keeps its stage: after the dot the mail may have been sent.
        if stage in ("banner", "tls"):
            stage, cause = "tls", _whose(tls)
    elif isinstance(error, TimeoutError):
        text = "no answer in time"
    elif stage == "connect" and isinstance(error, OSError):
        meant = outages.describe_network_error(error, "SMTP_URL")
        text = one_line(meant or f"there is no connection: {error.strerror or type(error).__name__}")
    elif isinstance(error, aiosmtplib.SMTPException):
        text = one_line(error.message) or type(error).__name__
        # Neither cut nor timeout: the server lacks something that is configured.
        if stage in ("tls", "auth") and not isinstance(error, aiosmtplib.SMTPServerDisconnected):
            cause = "ours"
    else:
        text = f"the dialogue broke off with {type(error).__name__}"
    return TemporaryFailure(0, text, stage, cause)


def _of_response(error: aiosmtplib.SMTPResponseException, stage: Stage) -> DeliveryFailure:
    fault = of_reply(error.code, error.message, stage)
    if stage == "ehlo" and _OUR_NAME.search(fault.text):
        # Even with 421 or 450 a retry helps only under another name.
        fault.cause = "ours"
    return fault


def _whose(fault: ssl.SSLError) -> Cause:
    """Return "ours" for a certificate or protocol that an operator must fix, "server" for a handshake that was cut."""
    return "server" if isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError) else "ours"
