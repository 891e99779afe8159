"""Drives a Python SDK of either era: one JSON object a line, a question on stdin, its answer on stdout.

It runs in a process of its own, which finds its SDK before the one of the tests.
"""

import json
import re
import sys
from typing import Any

from appwrite.client import Client
from appwrite.exception import AppwriteException
from appwrite.services.account import Account
from appwrite.services.users import Users

_SERVICES = {"account": Account, "users": Users}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake(name: str) -> str:
    """As the Python SDKs call it: createMagicURLToken is create_magic_url_token."""
    return _HUMP.sub("_", name).lower()


def methods(service: type) -> list[str]:
    return [name for name in vars(service) if not name.startswith("_")]


def client_of(settings: dict[str, str]) -> Client:
    client = Client()
    for name, value in settings.items():
        getattr(client, f"set_{name}")(value)
    return client


def call(asked: dict[str, Any]) -> dict[str, Any]:
    """The value as JSON would have it, models as their dictionaries, bytes as text; or the error's parts."""
    service = _SERVICES[asked["service"]](client_of(asked["settings"]))
    method = getattr(service, snake(asked["method"]))
    try:
        value = method(**{snake(name): value for name, value in asked["args"].items()})
    except AppwriteException as error:
        told = error.response if isinstance(error.response, dict) else {}
        kind = getattr(error, "type", None) or told.get("type")
        return {"ok": False, "error": "AppwriteException", "message": str(error), "code": error.code, "type": kind}
    except Exception as error:  # noqa: BLE001 - what an app would meet; the test shows it
        return {"ok": False, "error": type(error).__name__, "message": str(error), "code": None, "type": None}
    if isinstance(value, bytes):
        value = value.decode()
    return {"ok": True, "value": value.to_dict() if hasattr(value, "to_dict") else value}


for line in sys.stdin:
    question = json.loads(line)
    answer = call(question) if question.get("method") else {"methods": methods(_SERVICES[question["service"]])}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
