"""Scopes of API keys, with what each opens (docs/keys.md)."""

from collections.abc import Mapping
from types import MappingProxyType

EVENTS_READ = "events.read"
SCOPES: Mapping[str, str] = MappingProxyType({
    EVENTS_READ: "Read the feed of what happens to accounts.",
    "sessions.write": "Sign users up and in and use their links and codes, as a server-rendered app does.",
    "users.read": "Read all users, their sessions and their security logs.",
    "users.write": "Create, import, change, block and delete users, sign them in, and end their sessions.",
})  # fmt: skip
