"""The invariants I1 to I10: each says in words what a history breaks, of a good one nothing."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from service.queue import QUEUE
from service.store.events import Event
from testkit import sms_invariants, webhook_invariants
from testkit.client import Act
from testkit.history import History, Row
from testkit.patience import stretched

FINAL = frozenset({"sent", "failed", "expired", "cancelled", "void", "suppressed"})
# Acts that promise a letter under the token that their answer names.
_PROMISES = {
    "recovery": "recovery",
    "verification": "verification",
    "recovery_code": "otp_recovery",
    "challenge_email": "mfa_challenge",
}
_EVENTS = (
    {
        "sign_up": Event.ACCOUNT_CREATE,
        "sign_in": Event.SESSION_CREATE,
        "sign_out": Event.SESSION_DELETE,
        "recovery": Event.RECOVERY_CREATE,
        "recovery_use": Event.RECOVERY_UPDATE,
        "verification": Event.VERIFICATION_CREATE,
        "verification_use": Event.VERIFICATION_UPDATE,
        "password": Event.PASSWORD_UPDATE,
        "email": Event.EMAIL_UPDATE,
        "delete": Event.ACCOUNT_DELETE,
        "recovery_code": Event.RECOVERY_CREATE,
        "recovery_code_use": Event.RECOVERY_UPDATE,
        "phone_verification": Event.PHONE_VERIFICATION_CREATE,
        "phone_verification_use": Event.PHONE_VERIFICATION_UPDATE,
        "phone_session_use": Event.SESSION_CREATE,
        "custom_session_use": Event.SESSION_CREATE,
        "passkey_session_use": Event.SESSION_CREATE,
        "oauth_session_use": Event.SESSION_CREATE,
        "oauth_use": Event.SESSION_CREATE,
        "passkey_proof_use": Event.PASSKEY_TOKEN_CREATE,
        "passkey_use": Event.PASSKEY_CREATE,
        "authenticator_use": Event.AUTHENTICATOR_CREATE,
        "recovery_codes": Event.RECOVERY_CODES_CREATE,
        "identity_delete": Event.IDENTITY_DELETE,
        "custom_token": Event.BY_OPERATOR_TOKEN,
    }
    | {f"challenge_{factor}": Event.CHALLENGE_CREATE for factor in ("totp", "email", "phone", "recoveryCode")}
    | {f"challenge_{factor}_use": Event.CHALLENGE_UPDATE for factor in ("totp", "email", "phone", "recoveryCode")}
)
# Acts whose event comes with a notice, of a user whose address is proved.
_TOLD = frozenset(
    {"authenticator_use", "recovery_codes", "passkey_use", "identity_delete", "challenge_recoveryCode_use"}
)
# Seconds: an answer in a fault, recovery after it, and what a busy machine adds to a measurement.
_ANSWER, _RECOVERY, _SLACK = 5.0, 5.0, 1.5
# Keys that may stay in Redis when everything has ended: the job queue, and keys with an expiry.
_LASTING = frozenset({QUEUE})


def breaches(history: History) -> list[str]:
    """All of them, each with the number of its invariant."""
    return [f"{name}: {line}" for name, check in INVARIANTS.items() for line in check(history)]


def lost(history: History) -> Iterator[str]:
    """I1: every acknowledged mail request has an accepted message, or a final state with its event."""
    rows, accepted = _by_token(history), {message.message_id for message in history.messages}
    steps = {(step.mail, step.name) for step in history.steps}
    for act in history.acts:
        if act.acknowledged and act.name in _PROMISES and not rows[act.token]:
            yield f"{act.name} {act.token} of {act.email} was acknowledged and has no mail"
    for row in history.rows:
        if row.state not in FINAL:
            yield f"mail {row.id} ({row.letter}) has not ended: {row.state}"
        elif row.state == "sent" and row.message_id not in accepted:
            yield f"mail {row.id} ({row.letter}) is marked sent and was never accepted"
        elif (row.id, row.state) not in steps:
            yield f"mail {row.id} ({row.letter}) ended as {row.state} without an event"
    notices = Counter(row.user for row in history.rows if row.letter == "email_changed")
    for user, count in Counter(act.user for act in history.acts if act.name == "email" and act.acknowledged).items():
        if notices[user] < count:
            yield f"{user} changed the address {count} times and was told {notices[user]} times"
    yield from _untold(history)
    yield from sms_invariants.lost(history)
    yield from webhook_invariants.lost(history)


def _untold(history: History) -> Iterator[str]:
    """Find changes of what protects an account of which its owner was not told."""
    told = Counter(row.user for row in history.rows if row.letter == "security_changed")
    made = Counter(act.user for act in history.acts if act.name in _TOLD and act.acknowledged)
    for user, count in made.items():
        if told[user] < count:
            yield f"{user} changed what protects the account {count} times and was told {told[user]} times"


def doubled(history: History) -> Iterator[str]:
    """I2: one message a mail, and one more for each crash or cut in the window; a mail nobody asked for is one too."""
    known = {row.message_id: row for row in history.rows}
    copies = defaultdict(list)
    for message in history.messages:
        copies[message.message_id].append(message)
    for message_id, messages in copies.items():
        row = known.get(message_id)
        if row is None:
            yield f"the message {message_id} is of no mail"
            continue
        if len(messages) > 1 + (crashes := _crashes(history, row)):
            yield f"mail {row.id} ({row.letter}) was accepted {len(messages)} times, with {crashes} crashes in between"
        if len({message.digest for message in messages}) > 1:
            yield f"the copies of mail {row.id} ({row.letter}) differ"
    for token, rows in _by_token(history).items():
        if len(rows) > 1:
            yield f"the token {token} has {len(rows)} mails"
    yield from _unasked(history)
    yield from sms_invariants.doubled(history)
    yield from webhook_invariants.doubled(history)


def _crashes(history: History, row: Row) -> int:
    """Count the workers that lost it and the attempts that were cut after the final dot."""
    mine = [step for step in history.steps if step.mail == row.id]
    cut = [step for step in mine if step.name == "waits" and step.stage == "dot" and step.code <= 0]
    return len(cut) + sum(step.name == "lost" for step in mine)


def _unasked(history: History) -> Iterator[str]:
    """Find mails without any request; one whose request was never acknowledged is allowed."""
    acknowledged = {act.token for act in history.acts if act.acknowledged}
    for name, letter in _PROMISES.items():
        unclear = sum(act.unclear for act in history.acts if act.name in (name, "email"))
        changes = sum(act.acknowledged for act in history.acts if act.name == "email" and letter == "verification")
        extra = sum(row.letter == letter and row.token not in acknowledged for row in history.rows)
        if extra > unclear + changes:
            yield f"{extra} {letter} mails were never acknowledged, and only {unclear + changes} requests can be theirs"


def _by_token(history: History) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in history.rows:
        if row.token:
            found[row.token].append(row)
    return found


def reused(history: History) -> Iterator[str]:
    """I3: a secret succeeds once."""
    uses = Counter(act.token for act in history.acts if act.name.endswith("_use") and act.acknowledged)
    yield from (f"the token {token} was used {count} times" for token, count in uses.items() if count > 1)


def unlimited(history: History) -> Iterator[str]:
    """I4: in no window of its length does a rule let more calls through than it says."""
    for rule in history.rules:
        calls = defaultdict(list)
        for act in history.acts:
            if act.name == rule.act and act.status not in (0, 429):
                calls[getattr(act, rule.by)].append(act.at)
        for value, times in calls.items():
            times.sort()
            for first, last in zip(times, times[rule.most :], strict=False):
                if last - first < rule.window:
                    yield f"{rule.act} by {rule.by} {value}: more than {rule.most} in {rule.window} s"
                    break


def undead(history: History) -> Iterator[str]:
    """I5: no session works after its end was acknowledged: by signing out, by a recovery, by the account's end."""
    for end in history.acts:
        if end.acknowledged and end.name in ("sign_out", "recovery_use", "recovery_code_use", "delete"):
            for act in _later(history, end):
                yield f"{act.name} of {act.user} succeeded by a session that {end.name} had ended"


def _later(history: History, end: Act) -> Iterator[Act]:
    """Return the successes of sessions after their end."""
    opened = {act.session: act for act in history.acts if act.name == "sign_in" and act.acknowledged}
    for act in history.acts:
        born = opened.get(act.session)
        if not act.acknowledged or act.name == "sign_in" or born is None or act.at <= end.at + end.seconds:
            continue
        whole_user = end.name != "sign_out" and act.user == end.user and born.at + born.seconds < end.at
        if whole_user or act.session == end.session:
            yield act


def unrecorded(history: History) -> Iterator[str]:
    """I6: one event an acknowledged act; an act of unclear end may have one or none."""
    filed = Counter((event.user, event.name) for event in history.filed)
    known, unclear = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for act in history.acts:
        if act.user and act.name in _EVENTS:
            known[act.user, _EVENTS[act.name]] += act.acknowledged
            unclear[act.user, _EVENTS[act.name]] += act.unclear
    for key in known:
        if not known[key] <= filed[key] <= known[key] + unclear[key]:
            yield f"{key[0]} has {filed[key]} events {key[1]} for {known[key]} acts (and {unclear[key]} unclear ones)"
    for (user, name), count in filed.items():
        if name == Event.ACCOUNT_CREATE and count > 1:
            yield f"{user} was created {count} times"


def unanswered(history: History) -> Iterator[str]:
    """I7: no 5xx and no cut outside a fault and the five seconds after it, and no answer later than in five."""
    for act in history.acts:
        if act.seconds > stretched(_ANSWER + _SLACK):
            yield f"{act.name} took {act.seconds:.1f} s"
        over, begun = act.at - stretched(_RECOVERY), act.at + act.seconds
        inside = any(over <= end and begun >= start for start, end in history.faults)
        if act.unclear and not inside:
            yield f"{act.name} was answered {act.status} outside any fault"


def leaked(history: History) -> Iterator[str]:
    """I8: a secret stands in its mail and nowhere else; which one is not said: that would be one more place."""
    for place, text in history.places.items():
        for secret in history.secrets:
            if secret in text:
                yield f"{place} holds a secret (SHA-256 {hashlib.sha256(secret.encode()).hexdigest()[:8]})"


def left(history: History) -> Iterator[str]:
    """I9: nothing is left that nobody will come back for."""
    yield from (f"{count} {name}" for name, count in history.leftovers.items() if count)
    yield from (f"the Redis key {key} has no end" for key in history.lasting_keys if key not in _LASTING)


INVARIANTS: dict[str, Callable[[History], Iterator[str]]] = {
    "I1": lost,
    "I2": doubled,
    "I3": reused,
    "I4": unlimited,
    "I5": undead,
    "I6": unrecorded,
    "I7": unanswered,
    "I8": leaked,
    "I9": left,
    "I10": webhook_invariants.misordered,
}
