"""Answers of the providers' APIs as outcomes of SMTP: accepted, refused for good, for later, or ours to mend.

An answer that names no cause counts as ours once several recipients met it, as a bare 5xx of SMTP does.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson

from worker.relays.outcomes import Accepted, DeliveryFailure, PermanentFailure, TemporaryFailure, one_line

# A provider's id of a mail, by which its own pages find it: a UUID, with a prefix and a suffix at SES, or a Message-ID.
_ID = re.compile(
    r"(?:[0-9a-f]{16}-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-[0-9]{6})?|<[\w.+-]{1,90}@[\w.-]{1,90}>"
)
_PACE = ("throttl", "toomanyrequests", "limitexceeded", "rate_limit", "quota")
# The sender, or the account: another mail from it fares no better.
_SENDER = (
    "mailfromdomainnotverified", "sendingpaused", "accountsuspended", "not verified", "sender signature", "not allowed",
    "invalid_from_address", "invalid `from`", "'from'", "inactive domain", "domain not found", "not found",
)  # fmt: skip
_RECIPIENT = ("'to' parameter", "invalid `to`", "inactive recipient", "invalid 'to'")
# Postmark's numbers: a wrong token; an address that bounced or complained; a sender or an account that may not send.
_BAD_TOKEN, _INACTIVE, _POSTMARK_SENDER = 10, 406, frozenset({400, 401, 402, 403, 405, 412, 413})


def judge(server: str, status: int, body: bytes, headers: Mapping[str, str]) -> Accepted | DeliveryFailure:
    """Map an answer. A 5xx but 503 leaves open whether the mail was taken."""
    facts = _facts(body)
    number = found if isinstance(found := facts.get("ErrorCode"), int) else 0
    if 200 <= status < 300 and not number:
        said = _first(facts, "MessageId", "MessageID", "id") or "accepted"
        return Accepted(server, status, said if _ID.fullmatch(said) else one_line(said))
    kind = headers.get("x-amzn-errortype", "").partition(":")[0] or _first(facts, "name", "__type")
    text = one_line(f"HTTP {status} {kind} {_first(facts, 'message', 'Message')}")
    fault = _fault(status, number, f"{kind} {text}".lower(), text)
    fault.server = server
    return fault


def _fault(status: int, number: int, words: str, text: str) -> DeliveryFailure:
    """Take the first reading that fits."""
    sender, recipient = (any(word in words for word in known) for known in (_SENDER, _RECIPIENT))
    later = partial(TemporaryFailure, 451, text, "dot")
    readings: tuple[tuple[bool, Callable[[], DeliveryFailure]], ...] = (
        (status == 429 or any(word in words for word in _PACE), partial(TemporaryFailure, 450, text, "dot", "pace")),
        (status == 401 or (status == 403 and not sender) or number == _BAD_TOKEN,
         partial(TemporaryFailure, 535, text, "auth", "ours")),
        (number == _INACTIVE or recipient, partial(PermanentFailure, 550, text, "dot", "recipient")),
        (status in {503, 409}, partial(later, "server")),
        (status >= 500, partial(TemporaryFailure, 0, text, "dot", "server")),
        (number in _POSTMARK_SENDER or sender, partial(TemporaryFailure, 550, text, "mail", "ours")),
    )  # fmt: skip
    unclear = partial(TemporaryFailure, 554, text, "dot", "ours", suspected=True)
    return next((make for fits, make in readings if fits), unclear)()


def _facts(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _first(facts: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := facts.get(name), str)), "")
