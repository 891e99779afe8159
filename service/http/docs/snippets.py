"""Snippets of the reference: how each SDK and curl call a route (sdk_calls.toml)."""

import json
import re
import shlex
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from service.http.openapi.parts import Json

LANGUAGES = {"web": "Web", "node": "Node", "python": "Python", "curl": "curl"}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Target:
    """Address and project that snippets name."""

    address: str

    @property
    def project(self) -> str:
        """Id of the project: plain http is `./dev run`, which has its demo."""
        return "demo" if self.address.startswith("http:") else "YOUR_PROJECT"


@dataclass(frozen=True, slots=True)
class Call:
    """A method of the SDKs with its arguments; `who` is what the client is set up with: `key`, `session` or nothing."""

    service: str
    method: str
    args: dict[str, Any]
    languages: tuple[str, ...]
    who: str


@cache
def _calls() -> dict[str, Json]:
    return tomllib.loads((Path(__file__).parent / "sdk_calls.toml").read_text())


def sdk_method(operation: Json) -> str:
    """Name of the SDKs' method for an operation, `account.create`; empty where they have none."""
    return str(_calls().get(operation["operationId"], {}).get("call", ""))


def snippets(target: Target, path: str, method: str, operation: Json, parameters: list[Json]) -> dict[str, str]:
    """Make a snippet in each language that can call the route."""
    found: dict[str, str] = {}
    if call := _call(operation):
        makers = {"web": _javascript, "node": _javascript, "python": _python}
        found = {name: makers[name](target, call, name) for name in call.languages}
    return found | {"curl": _curl(target, path, method, operation, parameters)}


def _call(operation: Json) -> Call | None:
    entry = _calls().get(operation["operationId"])
    if entry is None:
        return None
    service, _, method = entry["call"].partition(".")
    usual = ("node", "python") if service == "users" else ("web", "node", "python")
    return Call(service, method, entry.get("args", {}), tuple(entry.get("only", usual)), _who(operation))


def _who(operation: Json) -> str:
    if "x-scope" in operation:
        return "key"
    return "" if {"Project": []} in operation["security"] else "session"


def _javascript(target: Target, call: Call, language: str) -> str:
    """Web and node: the same calls; in a browser the SDK's cookies are the session."""
    package = "appwrite" if language == "web" else "node-appwrite"
    service = call.service.capitalize()
    names = {"Client", *([service] if call.service != "client" else []), *_imports(call)}
    client = [f'const client = new Client().setEndpoint("{target.address}/v1").setProject("{target.project}")']
    if language == "node" and call.who:
        client.append("  .setKey(process.env.APPWRITE_KEY)" if call.who == "key" else "  .setSession(session)")
    lines = [f'import {{ {", ".join(sorted(names))} }} from "{package}";', "", "\n".join(client) + ";"]
    if call.service != "client":
        lines.append(f"const {call.service} = new {service}(client);")
    given = f"{{\n{_js_fields(call.args)}\n}}" if call.args else ""
    return "\n".join([*lines, "", f"const result = await {call.service}.{call.method}({given});"])


def _js_fields(args: dict[str, Any]) -> str:
    return "\n".join(f"  {name}: {_js(value)}," for name, value in args.items())


def _js(value: Any) -> str:
    if isinstance(value, str) and value.startswith("="):
        return value[1:]
    if isinstance(value, list):
        return f"[{', '.join(map(_js, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name}: {_js(part)}" for name, part in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _python(target: Target, call: Call, _language: str) -> str:
    service = call.service.capitalize()
    modules = {"ID": "appwrite.id", "Query": "appwrite.query"}
    lines = [
        *(["import os", ""] if call.who == "key" else []),
        "from appwrite.client import Client",
        *(f"from {modules[name]} import {name}" for name in _imports(call)),
        f"from appwrite.services.{call.service} import {service}",
        "",
        f'client = Client().set_endpoint("{target.address}/v1").set_project("{target.project}")',
    ]
    if call.who:
        lines.append(
            'client.set_key(os.environ["APPWRITE_KEY"])' if call.who == "key" else "client.set_session(session)"
        )
    fields = "".join(f"    {_snake(name)}={_py(value)},\n" for name, value in call.args.items())
    given = f"\n{fields}" if fields else ""
    lines += [f"{call.service} = {service}(client)", "", f"result = {call.service}.{_snake(call.method)}({given})"]
    return "\n".join(lines)


def _py(value: Any) -> str:
    if isinstance(value, str) and value.startswith("="):
        return value[1:]
    if isinstance(value, list):
        return f"[{', '.join(map(_py, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_py(part)}" for name, part in value.items()) + "}"
    return repr(value) if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)


def _snake(name: str) -> str:
    """As the Python SDK spells it: createMagicURLToken is create_magic_url_token."""
    return _HUMP.sub("_", name).lower()


def _imports(call: Call) -> list[str]:
    used = json.dumps(call.args)
    return [name for name in ("ID", "Query") if f"={name}." in used]


def _curl(target: Target, path: str, method: str, operation: Json, parameters: list[Json]) -> str:
    """Make a command for a shell; cookies.txt holds the session."""
    address = target.address + path
    for parameter in parameters:
        if parameter["in"] == "path":
            address = address.replace(f"{{{parameter['name']}}}", str(parameter["schema"]["examples"][0]))
    lines = ["curl" + ("" if method == "GET" else f" -X {method}") + " " + shlex.quote(address)]
    if operation["security"]:
        lines.append(f"-H 'X-Appwrite-Project: {target.project}'")
    if "x-scope" in operation:
        lines.append('-H "X-Appwrite-Key: $APPWRITE_KEY"')
    elif operation["security"]:
        lines += _jar(operation)
    if body := operation.get("requestBody"):
        example = body["content"]["application/json"]["examples"]["usual"]["value"]
        lines += ["-H 'Content-Type: application/json'", "-d " + shlex.quote(orjson.dumps(example).decode())]
    return " \\\n  ".join(lines)


def _jar(operation: Json) -> list[str]:
    """Options for the session's cookies: a sign-in writes them, a member's route sends them."""
    opens = "X-Fallback-Cookies" in next(iter(operation["responses"].values()))["headers"]
    if opens:
        return ["-c cookies.txt"]
    return ["-b cookies.txt"] if _who(operation) == "session" else []
