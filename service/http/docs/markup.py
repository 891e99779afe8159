"""Filters of the documentation's templates that make HTML."""

import re

from markupsafe import Markup, escape

from service.http.openapi.parts import Json

_MARKS = ((re.compile(r"`([^`]+)`"), r"<code>\1</code>"), (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"))
_COUNTED = {
    "ip": "for a client address (IPv6: a /64)",
    "network": "for a client address, its known devices too",
    "user": "for an account",
    "email": "for an <code>email</code>",
    "userId": "for a <code>userId</code>",
    "challengeId": "for a <code>challengeId</code>",
    "phone": "for a <code>phone</code>",
    "project": "for a project",
}
_SPANS = {3600: "an hour", 60: "a minute", 86_400: "a day"}


def text(plain: str) -> Markup:
    """Render code and bold of Markdown; the descriptions have nothing else of it."""
    marked = str(escape(plain))
    for pattern, tags in _MARKS:
        marked = pattern.sub(tags, marked)
    return Markup(marked)  # noqa: S704 - escaped above


def limit(found: Json) -> Markup:
    span = _SPANS.get(found["seconds"], f"in {found['seconds']} seconds")
    return Markup(f"{found['calls']} calls {span} {_COUNTED[found['by']]}")  # noqa: S704 - numbers and words of ours
