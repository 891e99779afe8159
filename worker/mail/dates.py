"""Times of a letter in its reader's language and time zone."""

from datetime import UTC, datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

import babel.dates
import orjson

FALLBACK = "UTC"


def zone_of(prefs: str | None) -> str:
    """Return the zone that a user's preferences name as `timezone`, if IANA has one of that name, else UTC.

    The preferences are any JSON of the user's, so only a name that is in the list goes any further.
    """
    try:
        known = orjson.loads(prefs or "{}")
    except orjson.JSONDecodeError:
        return FALLBACK
    zone = known.get("timezone") if isinstance(known, dict) else None
    return zone if isinstance(zone, str) and zone in _zones() else FALLBACK


def format_moment(moment: datetime, *, language: str, zone: str) -> str:
    """Format an aware time to the minute, with the zone's name: "November 23, 2026, 6:30 PM UTC"."""
    if moment.tzinfo is None:
        raise ValueError("a letter's moments must be aware")
    return _format(moment.astimezone(UTC).replace(second=0, microsecond=0), language.replace("-", "_"), zone)


@lru_cache(maxsize=4096)
def _format(moment: datetime, locale: str, zone: str) -> str:
    """Format a minute; mails of the same minute share the work."""
    local = moment.astimezone(ZoneInfo(zone))
    date = babel.dates.format_date(local, "long", locale=locale)
    time = babel.dates.format_time(local, "short", locale=locale)
    both = str(babel.dates.get_datetime_format("long", locale=locale)).format(time, date)
    # Old fonts show a box for the narrow space between time and PM.
    return f"{both} {_zone_name(local, locale, zone)}".replace("\u202f", " ")


def _zone_name(local: datetime, locale: str, zone: str) -> str:
    return zone if zone == FALLBACK else babel.dates.get_timezone_name(local, "long", locale=locale)


@cache
def _zones() -> frozenset[str]:
    """List the zones; `posixrules` and the like are files that lie beside them."""
    return frozenset(available_timezones())
