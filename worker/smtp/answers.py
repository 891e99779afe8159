"""The two answers a mail can meet, and which reply or fault means which.

Refused is final for that recipient; TryLater is everything else, our own faults included, because a wrong
password or an expired certificate must not cost anybody their mail. Nothing secret leaves this file: what a
server says is cut to one line without links or long codes, and of a failed sign-in only its numbers remain.
"""

import re
import ssl
from typing import Literal

import aiosmtplib

Stage = Literal["address", "connect", "tls", "banner", "ehlo", "auth", "mail", "rcpt", "fence", "data", "dot"]

LONGEST_TEXT = 200
# A refusal may quote the mail: links and anything as long as a secret are taken out before anyone logs it.
SECRETS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*|[A-Za-z0-9_+/=-]{32,}")
ENHANCED = re.compile(r"([245])\.(\d{1,3}\.\d{1,3})\b")
# Replies of the 5xx kind that speak of us or of a passing state, not of the recipient.
OURS = frozenset({500, 502, 503, 504, 530, 534, 535, 538, 552})
OURS_ENHANCED = frozenset({
    "1.7", "1.8",  # our sender address
    "2.2", "3.1", "3.2",  # mailbox or system full
    "7.3", "7.8", "7.9", "7.11", "7.54", "7.57", "7.64",  # who we are, how we came
    "7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26", "7.27",  # DKIM, SPF, reverse DNS
})  # fmt: skip
OURS_TEXT = re.compile(
    r"relay(?:ing)?\b.{0,20}(?:denied|prohibited|not (?:permitted|allowed))"
    r"|(?:unable|cannot|not allowed) to relay|sender address rejected"
    r"|authentication (?:is )?required|must (?:authenticate|issue a starttls)",
    re.IGNORECASE,
)


class Undelivered(Exception):
    """What both answers carry: the SMTP code (0 when none came), one harmless line, and where it happened."""

    def __init__(self, code: int, text: str, stage: Stage) -> None:
        super().__init__(code, text, stage)
        self.code = code
        self.text = text
        self.stage = stage

    def __str__(self) -> str:
        return f"{self.stage}: {self.code} {self.text}" if self.code else f"{self.stage}: {self.text}"


class Refused(Undelivered):
    """Never, for this recipient: no further attempt."""


class TryLater(Undelivered):
    """Not now."""

    @property
    def maybe_sent(self) -> bool:
        """The final dot went out and no answer came back: the next attempt may be a duplicate (RFC 1047)."""
        return self.stage == "dot" and self.code == 0


def of_reply(code: int, text: str, stage: Stage) -> Undelivered:
    """What a reply means. Final is only a clear no to this recipient, and none of our own faults."""
    line = _one_line(text)
    if not 200 <= code <= 599:
        return TryLater(0, f"the reply makes no sense: {line}"[:LONGEST_TEXT], stage)
    if stage == "auth":
        status = ENHANCED.search(text)
        return TryLater(code, f"the server did not let us sign in{f' ({status[0]})' if status else ''}", stage)
    if code < 500 or stage not in {"rcpt", "dot"} or _is_ours(code, line):
        return TryLater(code, line, stage)
    return Refused(code, line, stage)


def _is_ours(code: int, line: str) -> bool:
    """Whether a 5xx to the recipient or the content speaks of us, or of a full mailbox, and so may pass."""
    status = ENHANCED.match(line)
    about_recipient = status is not None and status[2].startswith("1.")
    return (
        code in OURS
        or (code == 501 and not about_recipient)
        or (status is not None and status[2] in OURS_ENHANCED)
        or OURS_TEXT.search(line) is not None
    )


def of_error(error: Exception, stage: Stage) -> Undelivered:
    """Any exception of a dialogue as one of our two answers."""
    if isinstance(error, Undelivered):
        return error
    tls = next((each for each in (error, error.__cause__) if isinstance(each, ssl.SSLError)), None)
    if stage == "fence":
        text = f"the check before DATA failed with {type(error).__name__}"
    elif tls is not None:
        text = _one_line(getattr(tls, "verify_message", "") or tls.reason or "the handshake failed")
        stage = "tls"
    elif isinstance(error, aiosmtplib.SMTPResponseException):
        at_banner = isinstance(error, aiosmtplib.SMTPConnectResponseError)
        return of_reply(error.code, error.message, "banner" if at_banner else stage)
    elif isinstance(error, TimeoutError):
        text = "no answer in time"
    elif isinstance(error, aiosmtplib.SMTPException):
        text = _one_line(error.message)
    else:
        text = f"the dialogue broke off with {type(error).__name__}"
    return TryLater(0, text, stage)


def _one_line(text: str) -> str:
    """What a server said, fit for a log: printable, short, without links or anything as long as a secret."""
    printable = "".join(character if character.isprintable() else " " for character in text[:2000])
    return SECRETS.sub("[cut]", " ".join(printable.split()))[:LONGEST_TEXT]
