"""Examples for a JSON Schema, put together from the examples of its parts."""

from collections.abc import Mapping
from typing import Any

_PREFIX = "#/components/schemas/"
_BARE = {"integer": 0, "boolean": False, "null": None}


def of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Make an example; `schemas` are those that a $ref may name."""
    match schema:
        case {"examples": [first, *_]} | {"const": first} | {"enum": [first, *_]}:
            return first
        case {"$ref": str(reference)}:
            return of(schemas[reference.removeprefix(_PREFIX)], schemas)
        case {"anyOf": [first, *_]} | {"oneOf": [first, *_]}:
            return of(first, schemas)
        case {"type": "object"}:
            return {name: of(part, schemas) for name, part in schema.get("properties", {}).items()}
        case {"type": "array"}:
            return [] if schema.get("maxItems") == 0 else [of(schema.get("items", {}), schemas)]
    return _BARE.get(schema.get("type", ""), "")
