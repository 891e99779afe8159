"""A check of a letter's HTML for what mail clients drop: the faults met most, not a whole matrix."""

import re

# Fault, pattern, and who drops it (https://www.caniemail.com).
_FAULTS = tuple(
    (what, re.compile(pattern, re.IGNORECASE), who)
    for what, pattern, who in (
        ("scripts", r"<script\b|\son[a-z]+\s*=", "every client"),
        ("forms", r"<(?:form|input|select|textarea)\b", "Outlook, Gmail on phones"),
        ("frames and embedded objects", r"<(?:iframe|object|embed)\b", "every client"),
        ("audio and video", r"<(?:audio|video)\b", "Gmail, Outlook"),
        ("a linked stylesheet", r"<link\b[^>]*stylesheet|@import\b", "Gmail, Outlook, Yahoo"),
        ("inline SVG", r"<svg\b", "Gmail, Outlook, Yahoo"),
        ("data: images", r"""src\s*=\s*["']?data:""", "Gmail, Outlook, Yahoo"),
        ("flexbox or grid", r"display\s*:\s*(?:inline-)?(?:flex|grid)\b", "Outlook on Windows"),
        ("position", r"(?<![-\w])position\s*:\s*(?:absolute|fixed|sticky|relative)\b", "Gmail, Outlook, Yahoo"),
        ("CSS variables", r"var\(\s*--", "Gmail, Outlook, Yahoo"),
        ("background images", r"background(?:-image)?\s*:[^;\"'}]*url\(", "Outlook on Windows"),
        ("web fonts", r"@font-face\b", "Gmail, Outlook, Yahoo"),
        ("an image without alt text", r"<img\b(?![^>]*\balt\s*=)", "every client that hides images"),
        ("an image from outside", r"""<img\b[^>]*\bsrc\s*=\s*["']?(?:https?:)?//""", "most clients until asked"),
    )
)
# Gmail cuts a longer letter off.
LARGEST = 102_000


def check(html: str) -> list[dict[str, str]]:
    """List what would be lost, and where."""
    found = [{"what": what, "dropped_by": who} for what, pattern, who in _FAULTS if pattern.search(html)]
    if len(html.encode()) > LARGEST:
        found.append({"what": "all beyond 102 KB", "dropped_by": "Gmail"})
    return found
