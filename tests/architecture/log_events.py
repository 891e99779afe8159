"""The log events of service/ and worker/, read from their source."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from testkit.sources import ROOT, modules

ACTIONS = ROOT / "tests" / "architecture" / "log_events.toml"
LEVELS = {"exception": "error"} | {name: name for name in ("debug", "info", "warning", "error", "critical")}
# The message and the level of both events of an outage: service/outages.py, whose own calls only pass them on.
_OUTAGE = {"fell": ("unavailable", "warning"), "back": ("available", "warning")}


@dataclass(frozen=True, slots=True)
class LogEvent:
    """`event` and `message` are empty where the source does not give them as literals."""

    event: str
    level: str
    message: str
    place: str


def log_events() -> list[LogEvent]:
    """One a call, by id."""
    found = [event for module, tree in modules("service", "worker").items() for event in events_in(module, tree)]
    return sorted(found, key=lambda event: event.event)


def events_in(module: str, tree: ast.Module) -> Iterator[LogEvent]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(ast.Name("log" | "access" | "logger"), name)) if name in LEVELS:
                if module != "service.outages":
                    yield LogEvent(_event_of(node), LEVELS[name], _text(node.args[0]), f"{module}:{node.lineno}")
            case ast.Call(func=ast.Name("Outage"), args=[_, ast.Constant(str(server))]):
                for keyword in node.keywords:
                    if keyword.arg in _OUTAGE:
                        ending, level = _OUTAGE[keyword.arg]
                        yield LogEvent(f"{server}.{ending}", level, _text(keyword.value), f"{module}:{node.lineno}")
            case ast.Dict() if "message" in (fields := _constants(node)) and "event" in fields:
                yield LogEvent(fields["event"], fields["level"], fields["message"], f"{module}:{node.lineno}")


def _event_of(call: ast.Call) -> str:
    extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    inside = ast.walk(extra) if extra else []
    return next(
        (found for node in inside if isinstance(node, ast.Dict) if (found := _constants(node).get("event"))), ""
    )


def _constants(node: ast.Dict) -> dict[str, str]:
    """The keys of a dict display that are texts, with the values that are."""
    pairs = ((key, value) for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant))
    return {str(key.value): _text(value) for key, value in pairs}


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def actions() -> dict[str, str]:
    """For each event id what an operator does."""
    return tomllib.loads(ACTIONS.read_text())
