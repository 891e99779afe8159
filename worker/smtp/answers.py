"""How a try can end: taken, refused for good, or later; and whose fault that is.

Refused is final for that recipient; TryLater is everything else, our own faults included, because a wrong
password or an expired certificate must not cost anybody their mail. Nothing secret leaves this file: what a
server says is cut to one line without links or long codes.
"""

import re
from dataclasses import dataclass
from typing import Literal

Stage = Literal["address", "connect", "tls", "banner", "ehlo", "auth", "mail", "rcpt", "fence", "data", "dot"]
# Who has to change something: the server as a whole, which passes; this recipient; or we, by an operator.
Cause = Literal["server", "recipient", "ours"]

LONGEST_TEXT = 200
# Until here a mail was offered to nobody: another server may have it in the same try.
GREETING = frozenset({"connect", "tls", "banner", "ehlo", "auth"})
ENVELOPE = frozenset({"mail", "rcpt"})
# A refusal may quote the mail: links and anything as long as a secret are taken out before anyone logs it.
SECRETS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*|[A-Za-z0-9_+/=-]{32,}")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The mail is the server's now; `server` is host:port, `text` its answer as one harmless line."""

    server: str
    code: int
    text: str


class Undelivered(Exception):
    """What both other ends carry: the SMTP code (0 when none came), one harmless line, where, and whose fault.

    `server` is host:port of the one that was spoken to, empty where none was.
    """

    def __init__(self, code: int, text: str, stage: Stage, cause: Cause = "server", server: str = "") -> None:
        super().__init__(code, text, stage)
        self.code = code
        self.text = text
        self.stage = stage
        self.cause = cause
        self.server = server

    def __str__(self) -> str:
        return f"{self.stage}: {self.code} {self.text}" if self.code else f"{self.stage}: {self.text}"

    @property
    def may_go_elsewhere(self) -> bool:
        """Whether another server may be asked at once: it isn't the recipient's fault, and no DATA was said."""
        return self.cause != "recipient" and self.stage in GREETING | ENVELOPE


class Refused(Undelivered):
    """Never, for this recipient: no further attempt."""


class TryLater(Undelivered):
    """Not now."""

    @property
    def maybe_sent(self) -> bool:
        """The final dot went out and no answer came back: the next attempt may be a duplicate (RFC 1047)."""
        return self.stage == "dot" and self.code == 0


def one_line(text: str) -> str:
    """What a server said, fit for a log: printable, short, without links or anything as long as a secret."""
    line = text[:2000]
    if not line.isprintable():
        line = "".join(character if character.isprintable() else " " for character in line)
    return SECRETS.sub("[cut]", " ".join(line.split()))[:LONGEST_TEXT]
