"""Invariants I1 and I2 of SMS: none that was acknowledged is lost, and none arrives oftener than its row says."""

from collections import defaultdict
from collections.abc import Iterator

from testkit.history import History

FINAL = frozenset({"sent", "failed", "expired", "cancelled", "void"})
# Acts that promise an SMS under the token that their answer names.
PROMISES = frozenset({"phone_token", "phone_verification", "challenge_phone"})
_MOST = 3


def lost(history: History) -> Iterator[str]:
    """I1: every acknowledged code has an SMS that the webhook took, or a final state that says why not."""
    known, taken = {row.token for row in history.sms}, {message.id for message in history.sms_messages}
    for act in history.acts:
        if act.acknowledged and act.name in PROMISES and act.token not in known:
            yield f"{act.name} {act.token} was acknowledged and has no SMS"
    for row in history.sms:
        if row.state not in FINAL:
            yield f"SMS {row.id} has not ended: {row.state}"
        elif row.state == "sent" and row.id not in taken:
            yield f"SMS {row.id} is marked sent and was never taken"


def doubled(history: History) -> Iterator[str]:
    """I2: no more copies than attempts that may have reached the phone, three at most, all alike."""
    known, copies = {row.id: row for row in history.sms}, defaultdict(list)
    for message in history.sms_messages:
        copies[message.id].append(message.text)
    for id_, texts in copies.items():
        row = known.get(id_)
        if row is None:
            yield f"the SMS {id_} is of no row"
        elif len(texts) > min(row.sends, _MOST):
            yield f"SMS {id_} was taken {len(texts)} times in {row.sends} attempts"
        if len({*texts}) > 1:
            yield f"the copies of SMS {id_} differ"
    asked = sum(act.name in PROMISES and (act.acknowledged or act.unclear) for act in history.acts)
    if len(known) > asked:
        yield f"there are {len(known)} SMS for {asked} requests"
