"""Requests of the acts, as text for the load generator: each from an address of its own, behind one proxy."""

import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from bench.ground import AGENT

PASSWORD = "correct horse battery"  # noqa: S105 - of nobody


def get(path: str, headers: Mapping[str, str]) -> str:
    return _request("GET", path, headers, b"")


def post(path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> str:
    return _request("POST", path, {"Content-Type": "application/json"} | dict(headers or {}), orjson.dumps(body))


def post_form(path: str, fields: Mapping[str, str]) -> str:
    kind = "application/x-www-form-urlencoded"
    return _request("POST", path, {"Content-Type": kind}, urlencode(fields).encode())


def _request(method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    """Write a request; its address is in 10.0.0.0/8, so that limits by address meet many clients with a few calls."""
    said = {"Host": "localhost", "User-Agent": AGENT, "Accept": "*/*", "X-Forwarded-For": _address()} | dict(headers)
    if body:
        said["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n{body.decode()}"


def _address() -> str:
    return ".".join(str(number) for number in (10, *(random.randint(1, 254) for _ in range(3))))
