"""API version of a request, by X-Appwrite-Response-Format and never by the path (docs/contract.md#api-versions)."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

# SDKs before a release call their format 1.0.0-RC1.
_VERSION = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4})(?:\.[0-9]{1,4})?)?(?:-(?i:rc|beta|alpha)[.]?[0-9]{0,3})?")


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """API version that a request is answered in.

    `modern` decides fields, statuses and rules, `iso` the format of times, `count` the name of a list's length;
    `format` is the version that was asked for, for the fields that came between the two.
    """

    modern: bool
    iso: bool
    count: str
    format: tuple[int, int]

    def time(self, at: datetime | None) -> str | int:
        """Format as ISO 8601 with milliseconds and +00:00, or as whole Unix seconds; never is "" or 0."""
        if at is None:
            return "" if self.iso else 0
        return at.isoformat(timespec="milliseconds") if self.iso else int(at.timestamp())


LEGACY = ApiVersion(modern=False, iso=False, count="sum", format=(0, 11))
# A client that is modern without naming a format gets the newest one.
MODERN = ApiVersion(modern=True, iso=True, count="total", format=(9999, 0))


@lru_cache(256)
def of(response_format: str | None, *, modern_by_default: bool) -> ApiVersion:
    """Parse X-Appwrite-Response-Format; the project's default applies where it is absent or no version."""
    match = _VERSION.fullmatch(response_format or "")
    if not match:
        return MODERN if modern_by_default else LEGACY
    version = (int(match[1]), int(match[2] or 0))
    if version < (0, 12):
        return LEGACY
    if version < (1, 0):
        return ApiVersion(modern=True, iso=False, count="sum" if version < (0, 13) else "total", format=version)
    return replace(MODERN, format=version)
