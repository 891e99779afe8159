"""What a reply means: for good or for now, and whose fault (RFC 5321 4.2, RFC 3463, the registry of RFC 5248).

Final is only a clear no to this recipient, and none of our own faults. The enhanced status counts more than the
words, and these more than the code: servers choose codes freely.
"""

import re
from types import MappingProxyType

from worker.smtp.answers import GREETING, LONGEST_TEXT, Cause, Refused, Stage, TryLater, Undelivered, one_line

ENHANCED = re.compile(r"([245])\.(\d{1,3}\.\d{1,3})\b")
# By the enhanced status without its class: as 5.x.x too these pass, or wait for an operator.
_PASSING: MappingProxyType[Cause, tuple[str, ...]] = MappingProxyType({
    "recipient": ("2.2",),  # mailbox full
    "server": (
        "1.90", "4.5", "7.28",  # more than it takes from us at a time
        "3.0", "3.1", "3.2", "3.3", "3.5",  # its disk is full, it is closed or ill
        "4.3", "4.6", "5.3",  # it can't look up, it goes in circles, it had too many recipients
    ),
    "ours": (
        "1.7", "1.8", "7.27",  # our sender address
        "3.4",  # our letter is too big
        "7.3", "7.4", "7.5", "7.6", "7.8", "7.9", "7.10", "7.11", "7.12", "7.13", "7.14", "7.30",  # who we are
        "7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26", "7.29",  # DKIM, SPF, reverse DNS
        "7.54", "7.57", "7.64",  # relaying, as Exchange says it
    ),
})  # fmt: skip
# By the enhanced status without its class: with a 5 too these pass, or wait for an operator.
STATUSES = MappingProxyType({detail: cause for cause, details in _PASSING.items() for detail in details})
BLOCKED = re.compile(r"7\.[5-7]\d\d")  # Exchange Online: our address or tenant is blocked
CODES: MappingProxyType[int, Cause] = MappingProxyType({
    452: "server", 454: "server", 455: "server",
    500: "ours", 501: "ours", 502: "ours", 503: "ours", 504: "ours", 521: "ours", 523: "ours", 524: "ours", 525: "ours",
    530: "ours", 534: "ours", 535: "ours", 538: "ours", 555: "ours",
    552: "recipient",
})  # fmt: skip
OURS = re.compile(
    r"relay(?:ing)?\b.{0,20}(?:denied|prohibited|not (?:permitted|allowed))"
    r"|(?:unable|cannot|not allowed) to relay|sender address rejected"
    r"|authentication (?:is )?required|must (?:authenticate|issue a starttls)"
    r"|client host .{0,100}(?:blocked|rejected)|blocked using|block ?list|black ?list",
    re.IGNORECASE,
)
THEIRS = re.compile(
    r"(?:mailbox|inbox|account|user) (?:is |has )?(?:been )?(?:full|over ?quota)"
    r"|(?:over|exceed\w*) (?:\w+ ){0,3}quota|quota (?:\w+ )?exceeded|gr[ea]y-?list",
    re.IGNORECASE,
)
BUSY = re.compile(
    r"try (?:it )?again later|temporar(?:y|ily)|too many (?:connections|messages|mails)|rate ?limit", re.IGNORECASE
)


def of_reply(code: int, text: str, stage: Stage) -> Undelivered:
    """A reply that wasn't the one hoped for, as the answer it means. Of a failed sign-in only numbers remain."""
    line = one_line(text) or "without a word"
    if not 200 <= code <= 599:
        return TryLater(0, f"the reply makes no sense: {line}"[:LONGEST_TEXT], stage)
    if stage == "auth":
        status = ENHANCED.search(text)
        line = f"the server did not let us sign in{f' ({status[0]})' if status else ''}"
        return TryLater(code, line, stage, "ours" if code >= 500 else "server")
    cause = _cause(code, line)
    if stage in GREETING or stage == "mail":
        # No recipient was named yet, so it can't be theirs.
        own: Cause = "server" if code < 500 else "ours"
        return TryLater(code, line, stage, own if cause in (None, "recipient") else cause)
    if code < 400 or stage == "data":
        return TryLater(code, line, stage, cause or "server")
    if code < 500 or cause:
        return TryLater(code, line, stage, cause or "recipient")
    return Refused(code, line, stage, "recipient")


def _cause(code: int, line: str) -> Cause | None:
    """Whose passing fault a reply tells of; None where nothing but its code and stage speaks."""
    status = ENHANCED.match(line)
    detail = status[2] if status else ""
    about_an_address = detail.startswith("1.")
    signs: tuple[tuple[bool, Cause | None], ...] = (
        (code == 421, "server"),
        (detail in STATUSES, STATUSES.get(detail)),
        (BLOCKED.fullmatch(detail) is not None or OURS.search(line) is not None, "ours"),
        (about_an_address, None),
        (THEIRS.search(line) is not None, "recipient"),
        (code >= 500 and BUSY.search(line) is not None, "server"),
    )
    return next((cause for holds, cause in signs if holds), CODES.get(code))
