"""The official SDKs that are not walked: how each asks, and which keys its models insist on (data/native.toml)."""

import json
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from testkit.api import Api

_DATA = tomllib.loads((Path(__file__).parent / "data" / "native.toml").read_text())
_TYPES = {"text": str, "bool": bool, "int": int, "object": dict}
TITLE = "## Native SDKs: keys and requests"
_INTRODUCTION = """
The tests don't run these SDKs. We read in their sources how each sends requests and which keys its
models require (`tests/sdk_compat/data/native.toml`). A test sends every request in the SDK's form and
checks every answer against its models. The service accepts repeated headers, nulls, `[]` for an empty
body and every spelling of a boolean.
"""
_ON_KEYS = """All of these SDKs require the following keys, with the types of the API document. The table shows what
each does if a key is missing (`null` counts as missing):"""


@dataclass(frozen=True)
class Native:
    name: str
    version: str
    format: str
    missing: str
    cookies: str
    nulls: str
    lists: str
    flags: tuple[str, str]
    empty: str
    body: str
    get: str
    user_agent: str
    origin: str
    headers: Mapping[str, str]
    keys: Mapping[str, str]

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def of_a_server(self) -> bool:
        return self.headers["x-sdk-platform"] == "server"

    def since(self, major: int, minor: int) -> bool:
        return tuple(int(part) for part in self.format.partition("-")[0].split(".")[:2]) >= (major, minor)


NATIVES = tuple(Native(**(row | {"flags": tuple(row["flags"])})) for row in _DATA["sdk"])


def keys_of(model: str) -> dict[str, str]:
    """Each key with its type; a word that is a model's name stands for that model's keys."""
    found: dict[str, str] = {}
    for word in _DATA["models"][model.partition("@")[0]].split():
        if word in _DATA["models"]:
            found |= keys_of(word)
        else:
            name, _, kind = word.removesuffix("?").partition(":")
            found[name] = (kind or "text") + ("?" if word.endswith("?") else "")
    return found


def faults(sdk: Native, model: str, answer: Any) -> Iterator[str]:
    """Fields in which an answer differs from what this SDK's model insists on."""
    if model not in sdk.keys:
        return
    for name, kind in keys_of(sdk.keys[model]).items():
        value = answer.get(name)
        if value is None:
            if not kind.endswith("?"):
                yield f"{model}.{name} is {'null' if name in answer else 'absent'}"
            continue
        wanted = kind.removesuffix("?")
        if wanted.startswith("["):
            inner = wanted[1:-1]
            if not isinstance(value, list) or (inner == "text" and not all(isinstance(each, str) for each in value)):
                yield f"{model}.{name} is no list of {inner}"
            elif inner in _DATA["models"]:
                yield from (fault for each in value for fault in faults(sdk, inner, each))
        elif type(value) is not _TYPES[wanted]:
            yield f"{model}.{name} is {value!r}"


class Talk:
    """One app with one SDK: what it sends, and what it keeps of the answers."""

    def __init__(self, api: Api, sdk: Native, **credentials: str) -> None:
        self.api, self.sdk, self.credentials = api, sdk, credentials
        self.kept: list[str] = []

    async def call(
        self, method: str, path: str, parameters: Mapping[str, Any] | None = None, *, status: int, model: str = ""
    ) -> Any:
        """The answer's data; it has this status, and holds what the SDK's model insists on."""
        query = body = None
        if method == "GET":
            query = self._query(parameters or {})
        else:
            sent = {name: value for name, value in (parameters or {}).items() if value is not None or self._sends_nulls}
            body = (json.dumps(sent) if sent else self.sdk.empty).encode()
            if self.sdk.empty == "[]":
                body = body.replace(b"{}", b"[]")  # PHP has one word for both
        answer = await self.api.client.request(
            method, f"/v1{path}" + (f"?{query}" if query else ""), data=body, headers=self._headers(method)
        )
        text = await answer.text()
        assert answer.status == status, (self.sdk.label, method, path, answer.status, text)
        self._keep(answer.headers.getall("Set-Cookie", []))
        if status == 204:
            assert text == ""
            return None
        data = json.loads(text)
        assert [*faults(self.sdk, model, data)] == [], (self.sdk.label, method, path)
        return data

    @property
    def _sends_nulls(self) -> bool:
        return self.sdk.nulls == "sent"

    def _query(self, parameters: Mapping[str, Any]) -> str:
        pairs = []
        for name, value in parameters.items():
            if isinstance(value, list):
                pairs += [
                    f"{name}{self.sdk.lists.removeprefix('queries').replace('0', str(number))}={quote(each)}"
                    for number, each in enumerate(value)
                ]
            elif isinstance(value, bool):
                pairs.append(f"{name}={self.sdk.flags[0 if value else 1]}")
            elif value is not None:
                pairs.append(f"{name}={quote(str(value))}")
            elif self.sdk.name == "Ruby":
                pairs.append("")  # which leaves the sign between the pairs
        return "&".join(pairs)

    def _headers(self, method: str) -> list[tuple[str, str]]:
        sdk, kind = self.sdk, self.sdk.get if method == "GET" else self.sdk.body
        headers = {"X-Appwrite-Project": "shop", "X-Appwrite-Response-Format": sdk.format, "User-Agent": sdk.user_agent}
        headers |= {"Content-Type": kind, "Origin": sdk.origin} | dict(sdk.headers) | self.credentials
        pairs = [(name, value) for name, value in headers.items() if value]
        if sdk.cookies == "each":
            return pairs + [("Cookie", cookie) for cookie in self.kept]
        return pairs + ([("Cookie", "; ".join(self.kept))] if self.kept else [])

    def _keep(self, cookies: list[str]) -> None:
        """Apple's keeps each Set-Cookie as it came, attributes and all; the last answer that has any counts."""
        if self.sdk.cookies == "none" or not cookies:
            return
        self.kept = cookies if self.sdk.cookies == "each" else [cookie.partition(";")[0] for cookie in cookies]


def tables() -> str:
    """The part of docs/clients.md that is made from the data."""
    requests = [
        "| SDK | format | cookies | nulls in bodies | lists | flags | empty body | `Content-Type` of GET | `Origin` |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for sdk in NATIVES:
        cells = (
            sdk.label, sdk.format, _COOKIES[sdk.cookies], sdk.nulls, f"`{sdk.lists}=`",
            " ".join(f"`{flag}`" for flag in sdk.flags), f"`{sdk.empty}`", f"`{sdk.get}`" if sdk.get else "–",
            f"`{sdk.origin}`" if sdk.origin else "–",
        )  # fmt: skip
        requests.append(f"| {' | '.join(cells)} |")
    keys = [
        "| SDK | models | a key that is absent or null | keys that others do not insist on |",
        "| --- | --- | --- | --- |",
    ]
    shared = {name: _shared(name) for name in ("User", "ManagedUser", "Session", "Token", "Log", "Target")}
    for sdk in NATIVES:
        models = ", ".join(name + (f" (of {at})" if at else "") for name, at in _models(sdk))
        own = [
            f"`{name}` of {model}"
            for model, written in sdk.keys.items()
            for name, kind in keys_of(written).items()
            if not kind.endswith("?") and name not in shared[model]
        ]
        keys.append(f"| {sdk.label} | {models} | {sdk.missing} | {', '.join(own) or '–'} |")
    everywhere = [
        textwrap.fill(f"- {name}: {' '.join(f'`{key}`' for key in found)}", 120, subsequent_indent="  ")
        for name, found in shared.items()
    ]
    parts = [TITLE, _INTRODUCTION, *requests, "", _ON_KEYS, "", *everywhere, "", *keys]
    return "\n" + "\n".join(parts) + "\n"


_COOKIES = {"one": "one header", "each": "a header each, with attributes", "none": "–"}


def _models(sdk: Native) -> Iterator[tuple[str, str]]:
    return ((name, written.partition("@")[2]) for name, written in sdk.keys.items())


def _shared(model: str) -> list[str]:
    """Keys that the model has in every SDK of the data."""
    required = [
        [name for name, kind in keys_of(sdk.keys[model]).items() if not kind.endswith("?")]
        for sdk in NATIVES
        if model in sdk.keys
    ]
    return [name for name in required[0] if all(name in others for others in required)]
