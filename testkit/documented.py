"""Answers held against the API document: what a client generated from it would expect."""

import re
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import orjson

from service import app
from service.http import openapi


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        return self.content["operationId"]


class Documented:
    """The document of a service, with the ways to look an answer up in it."""

    def __init__(self, address: str = "http://localhost:8080") -> None:
        app.routes()
        self.document = orjson.loads(orjson.dumps(openapi.document(address)))
        self.operations = [
            Operation(method.upper(), path, content)
            for path, item in self.document["paths"].items()
            for method, content in item.items()
        ]

    def find(self, method: str, path: str) -> Operation:
        """Find an operation; a path without variables comes before one with."""
        fitting = [
            operation
            for operation in self.operations
            if operation.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", operation.path), path)
        ]
        return min(fitting, key=lambda operation: operation.path.count("{"))

    def check(self, operation: Operation, status: int, headers: Any, body: bytes) -> None:
        """Status, media type, headers and schema are those that the document states."""
        where = f"{operation.method} {operation.path} {status}"
        assert str(status) in operation.content["responses"], f"{where} is not documented: {body[:200]!r}"
        response = operation.content["responses"][str(status)]
        assert "X-Request-Id" in headers, where
        if status == 429:
            assert "Retry-After" in headers, where
        if "content" not in response:
            assert body == b"", where
            return
        [(media, content)] = response["content"].items()
        assert headers["Content-Type"].startswith(media), where
        value = orjson.loads(body) if media == "application/json" else body.decode()
        faults = [f"{fault.instance_path}: {fault.message}" for fault in self.faults(content["schema"], value)]
        assert not faults, (where, faults, body[:600])

    def faults(self, schema: Any, value: Any) -> list[Any]:
        """Return the deviations of a value from a schema of the document."""
        whole = {**schema, "components": self.document["components"]}
        return list(jsonschema_rs.Draft202012Validator(whole).iter_errors(value))
