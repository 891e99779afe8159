"""Output of the mails commands in lines for people."""

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from service.cli import durations, tables
from service.store import outbox_admin

Facts = Mapping[str, Any]
# States in which a worker ends a mail without asking a relay.
_NO_TRIES = ("void", "expired", "cancelled", "suppressed")
# What is learnt of a mail after a relay took it.
REPORTED = ("delivered", "deferred", "bounced", "complained")
_HEAD = ("ID", "PROJECT", "LETTER", "RECIPIENT", "STATE", "AGE", "TRIES", "NEXT", "LAST")


def fault(stage: str, text: str | None, *, full: bool) -> str:
    """Format a fault without the stage in front of it; addresses are masked, and nothing in it can move a cursor."""
    words = "".join(letter if letter.isprintable() else " " for letter in text or "").removeprefix(f"{stage}: ")
    return words if full else outbox_admin.mask_address(words)


def table(mails: list[dict[str, Any]]) -> list[str]:
    return tables.table(_HEAD, map(_row, mails))


def _row(mail: Facts) -> tuple[str, ...]:
    # The fault describes the outcome of an attempt; a sent or lost mail has none.
    word = mail["last"] if mail["last"] in ("sent", "lost") else ""
    last = " ".join(filter(None, (word, cause(mail["stage"], mail["last_code"], mail["last_fault"]))))
    return (
        str(mail["id"]), mail["project_id"], mail["letter"], mail["recipient"], mail["state"],
        durations.format_duration(mail["age"]), str(mail["tries"]), _next(mail), last,
    )  # fmt: skip


def _next(mail: Facts) -> str:
    if mail["due_in"] is None:
        return "-"
    lease = "lease " if mail["state"] == "sending" else ""
    return lease + durations.format_duration(mail["due_in"]) if mail["due_in"] > 0 else "now"


def cause(stage: str, code: int | None, text: str) -> str:
    return " ".join(word for word in (stage, str(code or ""), text) if word)


def history(mail: Facts, steps: list[dict[str, Any]]) -> list[str]:
    """Format a mail and its events, in order."""
    facts = [(step["at"], _value(step)) for step in steps]
    accepted = f"accepted: {mail['letter']} for {mail['project_id']}, to {mail['recipient']}"
    return [
        f"mail {mail['id']}",
        f"user: {mail['user_id'] or 'not known yet'}",
        f"language: {mail['locale']}",
        f"message id: {mail['message_id']}",
        f"of use until: {_at(mail['deadline_at'])}",
        *(
            [f"own template: broken, our letter in its place ({mail['override_fault']})"]
            if mail["override_fault"]
            else []
        ),
        "",
        *(f"{_at(at)}  {words}" for at, words in [(mail["created_at"], accepted), *facts]),
        *_now(mail),
    ]


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _value(step: Facts) -> str:
    """Format an attempt: `try 2 by web-1 to relay:587: waits (rcpt 451 4.7.1 greylisted)`."""
    who = f" by {step['worker']}" if step["worker"] else ""
    where = f" to {step['server']}" if step["server"] else ""
    tried = f"try {step['attempt']}{who}{where}: " if who or where or step["stage"] else ""
    if step["name"] in _NO_TRIES:
        tried = f"{step['worker']}: " if step["worker"] else ""
    if step["name"] in REPORTED:
        tried = ""
    if step["name"] == "lost":
        return f"try {step['attempt']}{who}: lost, its worker died or was cut off"
    if step["name"] == "retried":
        return "an operator asked for one more try"
    why = cause(step["stage"], step["code"], step["fault"])
    if step["name"] == "waits" and step["stage"] == "dot" and not step["code"]:
        why += "; it may have arrived"
    return f"{tried}{step['name']}" + (f" ({why})" if why else "")


def _now(mail: Facts) -> list[str]:
    if mail["due_in"] is None:
        return []
    ahead, span = mail["due_in"] > 0, durations.format_duration(abs(mail["due_in"]))
    if mail["state"] == "sending":
        lease = f"runs out in {span}" if ahead else f"ran out {span} ago"
        return [f"now: try {mail['attempts']} by {mail['lease_by']}, whose lease {lease}"]
    return [f"now: next try in {span}" if ahead else f"now: due for {span}"]


def status(facts: Facts) -> list[str]:
    oldest, lately = facts["oldest_pending_age"], facts["last_hour"]
    return [
        f"mails: {_counts(facts['states'], estimated=facts['estimated'])}",
        f"oldest still to be sent: {'-' if oldest is None else durations.format_duration(oldest)}",
        f"pending by cause: {_counts(facts['waiting'])}",
        f"tries of the last hour: {_counts(lately['tries'])}",
        f"ended or steered without a try: {_counts(lately['without_a_try'])}",
        f"reported afterwards: {_counts(lately['reported'])}",
        f"leases lost: {lately['leases_lost']}",
        f"suspected duplicates: {lately['suspected_duplicates']}",
        *(_relay(relay) for relay in facts["relays"]),
        *([f"breakers: not known, {facts['unknown']}"] if facts["unknown"] else []),
    ]


def _relay(relay: Facts) -> str:
    """Format `relay one.example.com:587: open at web-1, closed at web-2; last hour: sent 3, waits 1, failed 0`."""
    states = ", ".join(f"{state} at {worker}" for worker, state in relay["breakers"].items())
    ago = "" if relay["sent_ago"] is None else f"; last sent {durations.format_duration(relay['sent_ago'])} ago"
    counts = _counts({name: relay[name] for name in ("sent", "waits", "failed")})
    return f"relay {relay['server']}: {states or 'no worker tells of it'}; last hour: {counts}{ago}"


def _counts(counts: Mapping[str, int], *, estimated: Container[str] = ()) -> str:
    about = {name: "about " if name in estimated else "" for name in counts}
    return ", ".join(f"{name} {about[name]}{count}" for name, count in counts.items()) or "none"
