"""Values of webhooks as an operator types them: ids, events, times."""

import argparse
import re
from datetime import UTC, datetime, timedelta

from service.cli import durations
from service.store.event_catalogue import CATALOGUE

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,35}")
_MOST = 100


def endpoint_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 36 of a-z, 0-9, _ and -, a letter or digit first")
    return text


def types(text: str) -> list[str]:
    """Parse comma-separated types of events, or beginnings such as account.sessions.*; empty or * for all."""
    given = list(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if given == ["*"]:
        return []
    if unknown := [each for each in given if not _is_known(each)]:
        raise argparse.ArgumentTypeError(f"no event {', '.join(unknown)}; docs/events.md lists them")
    if len(given) > _MOST:
        raise argparse.ArgumentTypeError(f"at most {_MOST}")
    return given


def _is_known(text: str) -> bool:
    begins = text.removesuffix("*") if text.endswith(".*") else None
    return any(event == text or (begins and event.startswith(begins)) for event in CATALOGUE)


def moment(text: str) -> datetime:
    """Parse a time as ISO 8601 has it, UTC if it names no zone, or one so long ago, such as 3h."""
    try:
        return datetime.now(UTC) - timedelta(seconds=durations.parse(text))
    except argparse.ArgumentTypeError:
        pass
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or UTC)
    except ValueError:
        raise argparse.ArgumentTypeError("a time such as 2026-03-01T09:30Z, or 30m, 3h, 2d for so long ago") from None
