"""How a try can end: taken, refused for good, or later; and whose fault that is.

PermanentFailure is final for that recipient; TemporaryFailure is everything else, our own faults included, because a
wrong password or an expired certificate must not cost anybody their mail. Nothing secret leaves this file: the words
of a server are cut to one line without links or long codes.
"""

import re
from dataclasses import dataclass
from typing import Literal

Stage = Literal["address", "connect", "tls", "banner", "ehlo", "auth", "mail", "rcpt", "fence", "data", "dot"]
# Who has to change something: the server as a whole, which passes; this recipient; or we: by an operator, or, where
# it is only the pace, by sending less.
Cause = Literal["server", "recipient", "ours", "pace"]

LONGEST_TEXT = 200
# Until here a mail was offered to nobody: another server may have it in the same try.
GREETING = frozenset({"connect", "tls", "banner", "ehlo", "auth"})
ENVELOPE = frozenset({"mail", "rcpt"})
CONTENT = frozenset({"data", "dot"})
# A refusal may quote the mail: links and anything as long as a secret are taken out before anyone logs it.
SECRETS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*|[A-Za-z0-9_+/=-]{32,}")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The mail is the server's now; `server` is host:port, `text` its answer as one harmless line."""

    server: str
    code: int
    text: str


class DeliveryFailure(Exception):
    """What both other ends carry: the SMTP code (0 when none came), one harmless line, where, and whose fault.

    `server` is host:port of the one that was spoken to, empty where none was. `suspected`: nothing shows whose fault
    it is, so it counts as ours once several recipients met it. `reused`: over a connection that had rested.
    """

    def __init__(
        self, code: int, text: str, stage: Stage, cause: Cause = "server", server: str = "", *, suspected: bool = False
    ) -> None:
        super().__init__(code, text, stage)
        self.code = code
        self.text = text
        self.stage = stage
        self.cause = cause
        self.server = server
        self.suspected = suspected
        self.reused = False

    def __str__(self) -> str:
        return f"{self.stage}: {self.code} {self.text}" if self.code else f"{self.stage}: {self.text}"

    @property
    def may_go_elsewhere(self) -> bool:
        """Whether another server may be asked at once: neither is it the recipient's fault nor may it make two of it.

        Once DATA was said only a clear no will do: without an answer the mail may be on its way.
        """
        if self.cause == "recipient":
            return False
        refused = self.code >= 500 or (self.code >= 400 and self.cause == "pace")
        return self.stage in GREETING | ENVELOPE or (self.stage in CONTENT and refused)


class PermanentFailure(DeliveryFailure):
    """Never, for this recipient: no further attempt."""


class TemporaryFailure(DeliveryFailure):
    """Not now."""

    @property
    def maybe_sent(self) -> bool:
        """The final dot went out and no answer came back: the next attempt may be a duplicate (RFC 1047)."""
        return self.stage == "dot" and self.code == 0


def printable(text: str) -> str:
    """What a server said, as one line."""
    said = text[:2000]
    if not said.isprintable():
        said = "".join(character if character.isprintable() else " " for character in said)
    return " ".join(said.split())


def one_line(text: str) -> str:
    """The same, fit for a log: short, without links or anything as long as a secret."""
    return SECRETS.sub("[cut]", printable(text))[:LONGEST_TEXT]
