"""Outcomes of one attempt: accepted, failed for good, failed for now; with the cause.

PermanentFailure is final for that recipient; TemporaryFailure is everything else, our own faults included, because a
wrong password or an expired certificate must not cost a user their mail. Nothing secret leaves this file: a server's
reply is cut to one line without links or long codes.
"""

import re
from dataclasses import dataclass
from typing import Literal

from service.store.outbox_outcomes import Cause

Stage = Literal["address", "connect", "tls", "banner", "ehlo", "auth", "mail", "rcpt", "fence", "data", "dot"]

LONGEST_TEXT = 200
# At these stages no server has seen the mail: another one may be tried in the same attempt.
GREETING = frozenset({"connect", "tls", "banner", "ehlo", "auth"})
ENVELOPE = frozenset({"mail", "rcpt"})
CONTENT = frozenset({"data", "dot"})
# A refusal may quote the mail: links and anything as long as a secret are taken out before anyone logs it.
SECRETS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*|[A-Za-z0-9_+/=-]{32,}")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server accepted the mail; `server` is host:port, `text` its reply as one harmless line."""

    server: str
    code: int
    text: str


class DeliveryFailure(Exception):
    """Failed attempt: SMTP code (0 when none came), one harmless line, stage and cause.

    `server` is host:port, empty where none was reached. `suspected`: the reply shows no cause, so it counts as ours
    once several recipients met it. `reused`: the session had been idle in the pool.
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
        """True if another server may be tried at once: not for a recipient's fault, nor where that could send twice.

        After DATA only a clear refusal will do: without a reply the mail may be on its way.
        """
        if self.cause == "recipient":
            return False
        refused = self.code >= 500 or (self.code >= 400 and self.cause == "pace")
        return self.stage in GREETING | ENVELOPE or (self.stage in CONTENT and refused)


class PermanentFailure(DeliveryFailure):
    """Failure that is final for this recipient: no further attempt."""


class TemporaryFailure(DeliveryFailure):
    """Failure after which the mail is tried again."""

    @property
    def maybe_sent(self) -> bool:
        """True if the final dot was sent and no reply came: the next attempt may be a duplicate (RFC 1047)."""
        return self.stage == "dot" and self.code == 0


def printable(text: str) -> str:
    """Join a server's reply to one printable line."""
    line = text[:2000]
    if not line.isprintable():
        line = "".join(character if character.isprintable() else " " for character in line)
    return " ".join(line.split())


def one_line(text: str) -> str:
    """Make a reply fit for a log: one short line without links or anything as long as a secret."""
    return SECRETS.sub("[cut]", printable(text))[:LONGEST_TEXT]
