"""Invariants of webhooks, of their feed, and of reports on mails that were sent."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from testkit.history import History


def lost(history: History) -> Iterator[str]:
    """I1: every event of the feed was taken by its webhook, every report that was taken stands in its mail's history.

    No mail asked for after it is sent to an address that was suppressed.
    """
    numbers = [event.number for event in history.feed]
    if numbers != [*range(1, len(numbers) + 1)]:
        yield f"the feed has other numbers than those from 1 to {len(numbers)}"
    taken = {*history.posts_taken}
    for event in history.feed:
        if event.state not in ("", "delivered"):
            yield f"event {event.number} was not delivered: {event.state}"
        elif event.state and event.id not in taken:
            yield f"event {event.number} is marked delivered and was never taken"
    steps = {(step.mail, step.name) for step in history.steps}
    for report in history.reports:
        if (report.mail, report.outcome) not in steps:
            yield f"the report that mail {report.mail} was {report.outcome} was taken, and is not in its history"
    for row in history.rows:
        if row.token in history.refused and row.state != "suppressed":
            yield f"mail {row.id} to an address that was suppressed ended as {row.state}"


def doubled(history: History) -> Iterator[str]:
    """I2: an event is taken once, once more for each replay and crash; a report stands once in its mail's history."""
    known, replays = {event.id for event in history.feed}, Counter(history.replayed)
    if len(known) < len(history.feed):
        yield "the feed has an event twice"
    for id_, count in Counter(history.posts_taken).items():
        if id_ not in known:
            yield f"the event {id_} was posted and is not in the feed"
        elif count > 1 + replays[id_] + history.crashes:
            yield f"event {id_} was taken {count} times, with {replays[id_]} replays and {history.crashes} crashes"
    for (mail, name), count in Counter((step.mail, step.name) for step in history.steps).items():
        if name in ("bounced", "complained") and count > 1:
            yield f"mail {mail} was reported as {name} {count} times"


def misordered(history: History) -> Iterator[str]:
    """I10: the events of a user come to the webhook in the order of the feed, but for what is replayed."""
    known, replayed = {event.id: event for event in history.feed}, {*history.replayed}
    latest: defaultdict[str, int] = defaultdict(int)
    for id_ in history.posts:
        event = known.get(id_)
        if event is None or id_ in replayed:
            continue
        if event.number < latest[event.user]:
            yield f"event {event.number} of {event.user} came after event {latest[event.user]}"
        latest[event.user] = max(latest[event.user], event.number)
