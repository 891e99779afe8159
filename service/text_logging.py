"""Log lines for people at a terminal: local time, level, message, then the event's own keys as `key=value`.

A request is `12:30:00.125 INFO  POST /v1/account 409 12 ms user_already_exists project=demo ip=127.0.0.1`.
"""

from collections.abc import Mapping
from datetime import datetime

_LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR", "critical": "FATAL"}
# What stands at its own place in a line, or says nothing to a person who just caused the event.
_PLACED = frozenset({"timestamp", "level", "logger", "event", "message", "request_id", "stack"})
_REQUEST = frozenset({"method", "route", "status", "ms", "type"})


def render(line: Mapping[str, object]) -> str:
    """Render the fields of a JSON log line as one line of text without control characters."""
    level = str(line["level"])
    is_request = line.get("event") == "request.handled"
    words = [
        _local_time(str(line["timestamp"])),
        f"{_LEVELS.get(level, level.upper()):5}",
        _request(line) if is_request else str(line["message"]),
    ]
    hidden = _PLACED | _REQUEST if is_request else _PLACED
    words += [f"{key}={_value(value)}" for key, value in line.items() if key not in hidden and value not in (None, "")]
    if "request_id" in line and not (is_request and _is_fine(line)):
        words.append(f"request_id={line['request_id']}")
    if stack := line.get("stack"):
        words.append("stack=" + _value(stack))
    return "".join(map(_shown, " ".join(words)))


def _local_time(timestamp: str) -> str:
    return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _request(line: Mapping[str, object]) -> str:
    # A route's name begins with its method; what met no route has none.
    route = line["route"] or f"{line['method']} (no route)"
    return f"{route} {line['status']} {line['ms']} ms" + (f" {kind}" if (kind := line.get("type")) else "")


def _is_fine(line: Mapping[str, object]) -> bool:
    return isinstance(status := line["status"], int) and status < 400


def _value(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_value, value)) or "-"
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


def _shown(character: str) -> str:
    """Escape what a terminal would obey, and what reorders the text around it."""
    return character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode()
