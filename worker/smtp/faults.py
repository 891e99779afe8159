"""What it means when a dialogue breaks off: by a cut, by silence, by a certificate we don't trust."""

import ssl

import aiosmtplib

from worker.smtp.answers import Cause, Stage, TryLater, Undelivered, one_line
from worker.smtp.replies import of_reply


def of_error(error: Exception, stage: Stage) -> Undelivered:
    """Any exception of a dialogue as the answer it means."""
    if isinstance(error, Undelivered):
        return error
    if isinstance(error, aiosmtplib.SMTPResponseException):
        at_banner = isinstance(error, aiosmtplib.SMTPConnectResponseError)
        return of_reply(error.code, error.message, "banner" if at_banner else stage)
    cause: Cause = "server"
    tls = next((each for each in (error, error.__cause__) if isinstance(each, ssl.SSLError)), None)
    if stage == "fence":
        text, cause = f"the check before DATA failed with {type(error).__name__}", "ours"
    elif tls is not None:
        text = one_line(getattr(tls, "verify_message", "") or getattr(tls, "reason", "") or "the encryption broke off")
        # What breaks later was no question of trust, and its place must stay: after the dot the mail may be sent.
        if stage in ("connect", "tls"):
            stage, cause = "tls", _whose(tls)
    elif isinstance(error, TimeoutError):
        text = "no answer in time"
    elif isinstance(error, aiosmtplib.SMTPException):
        text = one_line(error.message) or type(error).__name__
        # Neither a cut nor a silence: something that we need isn't offered there.
        if stage in ("tls", "auth") and not isinstance(error, aiosmtplib.SMTPServerDisconnected):
            cause = "ours"
    else:
        text = f"the dialogue broke off with {type(error).__name__}"
    return TryLater(0, text, stage, cause)


def _whose(fault: ssl.SSLError) -> Cause:
    """A certificate or a protocol that doesn't fit needs an operator; a handshake that was cut short passes."""
    return "server" if isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError) else "ours"
