"""Classify SMTP replies: permanent or temporary, and the cause (RFC 5321 4.2, RFC 3463, registry of RFC 5248).

A reply is final only if it speaks of this recipient and of nothing else. The enhanced status counts more than the code,
and words that name the cause count more than both: servers choose codes freely.
"""

import re
from types import MappingProxyType

from service.store.outbox_outcomes import Cause
from worker.relays.outcomes import (
    GREETING,
    LONGEST_TEXT,
    DeliveryFailure,
    PermanentFailure,
    Stage,
    TemporaryFailure,
    one_line,
    printable,
)
from worker.relays.smtp import reply_texts

ENHANCED = re.compile(r"([245])\.(\d{1,3}\.\d{1,3})\b")
# By the enhanced status without its class: as 5.x.x too these pass, or wait for an operator.
_PASSING: MappingProxyType[Cause, tuple[str, ...]] = MappingProxyType({
    "recipient": ("2.2",),  # mailbox full
    "pace": ("1.90", "7.28"),  # more than it takes from us in a day; a flood
    "server": (
        "3.0", "3.1", "3.2", "3.3", "3.5",  # its disk is full, it is closed or ill
        "4.3", "4.5", "4.6", "5.3",  # it can't look up, is congested, goes in circles, had too many recipients
    ),
    "ours": (
        "1.7", "1.8", "7.27",  # our sender address
        "2.3", "3.4",  # our letter is too big
        "2.252", "7.60",  # that we send as somebody else, as Exchange says it
        "7.3", "7.4", "7.5", "7.6", "7.8", "7.9", "7.10", "7.11", "7.12", "7.13", "7.14", "7.30",  # who we are
        "7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26", "7.29",  # DKIM, SPF, reverse DNS
        "7.54", "7.57", "7.64",  # relaying, as Exchange says it
    ),
})  # fmt: skip
STATUSES = MappingProxyType({detail: cause for cause, details in _PASSING.items() for detail in details})
# These with a 5 speak of the recipient: no such mailbox, no such domain, bad syntax, moved, takes no mail, disabled.
FINAL = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
# As replies to RCPT these speak of the recipient too, where nothing in them speaks of us.
FINAL_CODES = frozenset({550, 551, 553, 556})
OWNER = frozenset({"7.17", "7.18"})  # the mailbox or the domain is somebody else's now (RFC 7293)
# Exchange Online: the recipient gets more than it takes in an hour; our address or tenant is blocked.
RECEIVING = frozenset({"2.121", "2.122"})
BLOCKED = re.compile(r"7\.(?!504)[5-7]\d\d")
CODES: MappingProxyType[int, Cause] = MappingProxyType({
    421: "server", 452: "server", 454: "server", 455: "server",
    500: "ours", 501: "ours", 502: "ours", 503: "ours", 504: "ours", 521: "ours", 523: "ours", 524: "ours", 525: "ours",
    530: "ours", 534: "ours", 535: "ours", 538: "ours", 555: "ours",
    552: "recipient",
})  # fmt: skip


def of_reply(code: int, text: str, stage: Stage) -> DeliveryFailure:
    """Classify a refusal. Of a failed sign-in only the numbers are kept, since the words may quote credentials."""
    line = one_line(text) or "without a word"
    if not 200 <= code <= 599:
        return TemporaryFailure(0, f"the reply makes no sense: {line}"[:LONGEST_TEXT], stage)
    # The whole reply is classified; only the cut line is kept, because a reply may quote the mail.
    reply = printable(text)
    status = ENHANCED.match(reply)
    detail = status[2] if status else ""
    cause = _cause(code, detail, reply, stage)
    if stage in GREETING or stage == "mail":
        # No recipient was named yet, so it can't be the recipient's fault.
        own: Cause = "server" if code < 500 else "ours"
        shown = _without_words(text) if stage == "auth" else line
        return TemporaryFailure(code, shown, stage, own if cause in (None, "recipient") else cause)
    if cause:
        return TemporaryFailure(code, line, stage, cause)
    if code < 500:
        return TemporaryFailure(code, line, stage, "server" if code < 400 or stage == "data" else "recipient")
    if _is_final(code, detail, reply, stage):
        return PermanentFailure(code, line, stage, "recipient")
    return TemporaryFailure(code, line, stage, "ours", suspected=True)


def _without_words(text: str) -> str:
    """Describe a failed sign-in without the server's words, which may quote credentials."""
    status = ENHANCED.search(text)
    return f"the server did not let us sign in{f' ({status[0]})' if status else ''}"


def _is_final(code: int, detail: str, reply: str, stage: Stage) -> bool:
    """Return whether a 5xx that shows no fault of ours or of the server speaks of the recipient."""
    if detail in FINAL:
        return True
    if stage != "rcpt" or code not in FINAL_CODES:
        return False
    about_a_rule = (detail.startswith("7.") and detail not in OWNER) or reply_texts.POLICY.search(reply) is not None
    return not about_a_rule or reply_texts.RECIPIENT.search(reply) is not None


def _cause(code: int, detail: str, reply: str, stage: Stage) -> Cause | None:
    """Return the temporary cause that a reply names; None where only code and stage tell."""
    crowded = stage in GREETING and reply_texts.CROWDED.search(reply) is not None
    rate = reply_texts.is_rate(reply) and not crowded and reply_texts.OF_CONNECTION.search(reply) is None
    if stage == "auth":
        # Words about signing in are in every answer to it: only those about a rate say more than its code.
        return "pace" if rate else "server" if crowded or code < 500 else "ours"
    named = detail in FINAL and reply_texts.SENDER.search(reply) is None
    signs: tuple[tuple[bool, Cause | None], ...] = (
        (detail in RECEIVING or reply_texts.RECEIVING.search(reply) is not None, "recipient"),
        (reply_texts.TOO_BIG.search(reply) is not None, "ours"),
        (reply_texts.GREYLISTED.search(reply) is not None, "recipient"),
        (crowded, "server"),
        (reply_texts.MAILBOX_FULL.search(reply) is not None, "recipient"),
        (rate, "pace"),
        (named, None),
        (detail in STATUSES, STATUSES.get(detail)),
        (BLOCKED.fullmatch(detail) is not None or reply_texts.OURS.search(reply) is not None, "ours"),
        (detail.startswith("1."), None),
        (reply_texts.QUOTA.search(reply) is not None, "recipient"),
        (code >= 500 and reply_texts.BUSY.search(reply) is not None, "server"),
    )
    return next((cause for holds, cause in signs if holds), CODES.get(code))
