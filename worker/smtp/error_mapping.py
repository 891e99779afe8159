"""What it means when a dialogue breaks off: by a cut, by silence, by a certificate we don't trust."""

import re
import ssl

import aiosmtplib

from service import outages
from worker.smtp.outcomes import Cause, DeliveryFailure, Stage, TemporaryFailure, one_line
from worker.smtp.reply_codes import of_reply

# How servers say that they dislike the name after EHLO.
_OUR_NAME = re.compile(
    r"\b(?:helo|ehlo)\b|\bhost ?names?\b|\bdomain names?\b|\binvalid (?:domain|name)\b|fully.qualified|\bfqdn\b"
    r"|reverse (?:dns|name|lookup)|\bptr\b",
    re.IGNORECASE,
)
# OpenSSL's word for it sends nobody to SMTP_URL.
_PLAIN = "it does not begin with TLS: smtps:// is for ports that do (465), smtp:// for STARTTLS (587)"


def of_error(error: Exception, stage: Stage) -> DeliveryFailure:
    """Any exception of a dialogue as the answer it means."""
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
        # What breaks later was no question of trust, and its place must stay: after the dot the mail may be sent.
        if stage in ("banner", "tls"):
            stage, cause = "tls", _whose(tls)
    elif isinstance(error, TimeoutError):
        text = "no answer in time"
    elif stage == "connect" and isinstance(error, OSError):
        meant = outages.describe_network_error(error, "SMTP_URL")
        text = one_line(meant or f"there is no connection: {error.strerror or type(error).__name__}")
    elif isinstance(error, aiosmtplib.SMTPException):
        text = one_line(error.message) or type(error).__name__
        # Neither a cut nor a silence: something that we need isn't offered there.
        if stage in ("tls", "auth") and not isinstance(error, aiosmtplib.SMTPServerDisconnected):
            cause = "ours"
    else:
        text = f"the dialogue broke off with {type(error).__name__}"
    return TemporaryFailure(0, text, stage, cause)


def _of_response(error: aiosmtplib.SMTPResponseException, stage: Stage) -> DeliveryFailure:
    fault = of_reply(error.code, error.message, stage)
    if stage == "ehlo" and _OUR_NAME.search(fault.text):
        # Even 421 and 450 pass only once we call ourselves something else.
        fault.cause = "ours"
    return fault


def _whose(fault: ssl.SSLError) -> Cause:
    """A certificate or a protocol that doesn't fit needs an operator; a handshake that was cut short passes."""
    return "server" if isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError) else "ours"
