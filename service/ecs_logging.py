"""Log lines in the Elastic Common Schema 8: its own fields where it has them, all else below `accounts.`."""

from collections.abc import Mapping

from service.version import VERSION

# Fields of ECS, and the keys of our lines that mean the same.
_NAMES = {
    "@timestamp": "timestamp",
    "log.level": "level",
    "message": "message",
    "log.logger": "logger",
    "event.action": "event",
    "http.request.id": "request_id",
    "http.request.method": "method",
    "http.response.status_code": "status",
    "client.ip": "ip",
    "error.type": "exception",
    "trace.id": "trace_id",
    "span.id": "span_id",
}
_FIELDS = {key: field for field, key in _NAMES.items()}
# An event's `status` is a number of HTTP here only.
_OF_REQUESTS = frozenset({"method", "status"})
_CONSTANT = {"ecs.version": "8.11.0", "service.name": "accounts", "service.version": VERSION}


def fields(line: Mapping[str, object]) -> dict[str, object]:
    """Name the fields of a JSON log line as ECS does; times, level and message come first."""
    is_request = line.get("event") == "request.handled"
    first = {_FIELDS[key]: line[key] for key in ("timestamp", "level", "message")}
    named = first | _CONSTANT
    for key, value in line.items():
        if value is None or key in ("timestamp", "level", "message"):
            continue
        if key == "stack" and isinstance(value, list):
            named["error.stack_trace"] = "\n".join(map(str, value))
        elif key in _FIELDS and (is_request or key not in _OF_REQUESTS):
            named[_FIELDS[key]] = value
        else:
            named[f"accounts.{key}"] = value
    if is_request:
        named |= _outcome(line)
    return named


def _outcome(line: Mapping[str, object]) -> dict[str, object]:
    """Name the outcome of a request, and its duration in nanoseconds."""
    status, ms = line["status"], line["ms"]
    failed = isinstance(status, int) and status >= 400
    outcome: dict[str, object] = {"event.outcome": "failure" if failed else "success"}
    if isinstance(ms, int | float):
        outcome["event.duration"] = round(ms * 1_000_000)
    return outcome
