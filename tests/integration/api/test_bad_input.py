"""Bad input: every row of tests/integration/api/data has one exact answer, and nothing is written."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import FormData

from service.db import Pool
from testkit.api import Api

pytestmark = pytest.mark.unlimited

DATA = Path(__file__).parent / "data"
TABLES = ("users", "sessions", "tokens", "mails", "events", "logs", "projects", "platforms")
# What is no text at all, in a field that wants some.
NO_TEXTS = [0, 1, -1, 1.5, 1e300, True, False, [], ["a@b.cd"], {}, {"$ne": None}, {"a": {"b": []}}, [[[]]]]
ERAS = ("legacy", "modern")


@pytest.fixture
async def member(api: Api, pool: Pool) -> AsyncIterator[dict[str, str]]:
    """A member; at the end of the test the database must hold what it held before, byte for byte."""
    await api.sign_up()
    headers = await api.sign_in()
    before = await everything(pool)
    yield headers
    assert await everything(pool) == before, "bad input was written"


async def everything(pool: Pool) -> dict[str, list[str]]:
    found = {}
    for table in TABLES:
        rows = await pool.fetch(f"select t::text from {table} t order by 1")
        found[table] = [row[0] for row in rows]
    return found


def rows_of(route: dict) -> Iterator[tuple[str, dict, str]]:
    """Era, body and the message due, for each way to get one field of a route wrong."""
    for era in ERAS:
        for name in route["good"]:
            needed = name not in route["optional"] and (name != route.get("conditional") or era == "legacy")
            if needed:
                rest = {key: value for key, value in route["good"].items() if key != name}
                yield era, rest, f'Param "{name}" is not optional.'
            for value in NO_TEXTS:
                yield era, route["good"] | {name: value}, invalid(era, name, "Value must be a valid string")
            yield from _absent(era, route, name, needed=needed)
            for value, texts in route["bad"].get(name, ()):
                text = texts.get("both") or texts[era]
                yield era, route["good"] | {name: value}, invalid(era, name, text)
        # The first parameter in the order of declaration is the one that is named.
        first = next(name for name in route["good"] if name not in route["optional"])
        yield (
            era,
            dict.fromkeys(list(route["good"])[1:], 5) if len(route["good"]) > 1 else {},
            _first(era, route, first),
        )


def _absent(era: str, route: dict, name: str, *, needed: bool) -> Iterator[tuple[str, dict, str]]:
    """Legacy: "" and null count as absent. Modern: null where the parameter is optional, "" is a value."""
    if era == "legacy" and needed:
        for value in ("", None):
            yield era, route["good"] | {name: value}, f'Param "{name}" is not optional.'
    if era == "modern" and needed:
        yield era, route["good"] | {name: None}, invalid(era, name, "Value must be a valid string")
    if era == "modern" and name in route["empty"]:
        yield era, route["good"] | {name: ""}, invalid(era, name, route["empty"][name])


def _first(era: str, route: dict, first: str) -> str:
    names = list(route["good"])
    if names[0] == first:
        return f'Param "{first}" is not optional.'
    return invalid(era, first, "Value must be a valid string")


def invalid(era: str, name: str, text: str) -> str:
    return f"Invalid `{name}` param: {text}" if era == "modern" else f"Invalid {name}: {text}"


@pytest.mark.parametrize("route", json.loads((DATA / "fields.json").read_text()), ids=lambda route: route["route"])
async def test_every_bad_field_has_its_message(api: Api, member: dict[str, str], route: dict):
    """Missing, malformed, of a wrong type, hostile: 400, the type, and the message that names the field."""
    method, path = route["route"].split()
    headers = member if route.get("member") else None
    wrong = []
    for era, body, message in rows_of(route):
        # Written by hand: a client library would refuse what the row is about.
        raw = json.dumps(body).encode()
        answer = await api.call(
            method, path, modern=era == "modern", data=raw,
            headers=(headers or {}) | {"Content-Type": "application/json"},
        )  # fmt: skip
        told = (answer.status, answer.data["type"], answer.data["message"])
        if told != (400, "general_argument_invalid", message):
            wrong.append((era, raw[:200], told, message))
    assert not wrong


async def test_every_bad_body_has_its_message(api: Api, member: dict[str, str]):
    """Malformed JSON, JSON that is no object, forms and multipart of any kind: an exact 400 or 413, never a 500."""
    wrong = []
    for row in json.loads((DATA / "bodies.json").read_text()):
        text = row["text"] if isinstance(row["text"], str) else row["text"][0] * row["text"][1]
        answer = await api.call(
            "POST", "/v1/account/recovery", data=text.encode(row.get("encoding", "utf-8")),
            headers={"Content-Type": row["type"]},
        )  # fmt: skip
        fits = row["message"] in (None, answer.data["message"]) and answer.data["type"] == "general_argument_invalid"
        if answer.status != row["status"] or not fits:
            wrong.append((row["say"], answer.status, answer.data))
    assert not wrong


async def test_a_compressed_body(api: Api, member: dict[str, str]):
    """Refused before anything is unpacked, whatever is in it."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Connection": "close"}
    for _ in range(3):
        assert (await api.call("POST", "/v1/account/recovery", data=b"junk", headers=headers)).status == 415


PUBLIC = ["POST /v1/account", "POST /v1/account/sessions", "POST /v1/account/recovery", "PUT /v1/account/recovery",
          "PUT /v1/account/verification"]  # fmt: skip


@pytest.mark.parametrize("route", [*PUBLIC, "POST /v1/account/verification", "POST /v1/account/jwt"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "chunked"])
async def test_a_body_over_96_kib(api: Api, member: dict[str, str], route: str, kind: str):
    """413 in both eras, whether its length was announced or not; one byte less is read."""
    method, path = route.split()

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(0, size, 1024):
            yield b" " * 1024
        yield b" " * (size % 1024)

    for modern in (False, True):
        for size, status in ((98_305, 413), (98_304, 400)):
            if size == 98_304 and route == "POST /v1/account/jwt":
                continue
            body = chunks(size) if kind == "chunked" else b" " * size
            # A form with a session has to say which page it is from.
            headers = member | {"Origin": "http://localhost"}
            headers["Content-Type"] = "application/json" if kind == "chunked" else kind
            answer = await api.call(method, path, data=body, headers=headers, modern=modern)
            # The rate limit reads the body for its key; then a modern member is turned away, before the parameters.
            turned_away = route == "POST /v1/account/sessions" and modern and size == 98_304
            assert answer.status == (401 if turned_away else status), (size, answer.data)


@pytest.mark.parametrize("named", [None, "", "nowhere", "SHOP", "a" * 37, "-x", "../shop", "sh%00op", "'; --"])
async def test_an_unknown_project(api: Api, member: dict[str, str], named: str | None):
    """400 in the legacy era and 404 in the modern one, for every route; with or without a session."""
    for route in [*PUBLIC, "GET /v1/account", "GET /v1/account/logs", "POST /v1/account/jwt"]:
        method, path = route.split()
        for modern, told in ((False, (400, "Missing or unknown project ID")),
                             (True, (404, "Project with the requested ID could not be found."))):  # fmt: skip
            answer = await api.call(
                method, path, json={}, headers=member | {"X-Appwrite-Project": named}, modern=modern
            )
            assert (answer.status, answer.data["message"], answer.data["type"]) == (*told, "project_not_found")


@pytest.mark.parametrize(
    "query", ["?project=nowhere", "?project=", "?project=%00", "?project=%ed%a0%80", "?project[]=shop"]
)
async def test_a_project_in_the_query(api: Api, member: dict[str, str], query: str):
    """A parameter that differs from the header is refused, whatever it holds; another name is not that parameter."""
    answer = await api.call("GET", "/v1/account" + query, headers=member)
    assert answer.status == (200 if "[]" in query else 400)


@pytest.mark.parametrize("body", [b"{}", b"null", b"[]", b"{", b"\xff", b" " * 1000])
async def test_get_ignores_its_body(api: Api, member: dict[str, str], body: bytes):
    """Old SDKs send {} or null with every GET: it is never looked at."""
    for kind in ("application/json", "", "text/plain", "multipart/form-data"):
        answer = await api.call("GET", "/v1/account", data=body, headers=member | {"Content-Type": kind})
        assert answer.status == 200


async def test_bodiless_acts_take_any_body(api: Api, pool: Pool):
    """DELETE and the making of a JWT carry {} or nothing; only what can't be read is refused where it would matter."""
    await api.sign_up()
    member = await api.sign_in()
    headers = member | {"Content-Type": "application/json"}
    for body in (b"{}", b"", b"null", b"[]"):
        assert (await api.call("POST", "/v1/account/jwt", data=body, headers=headers)).status == 201
    junk = await api.call("POST", "/v1/account/jwt", data=b"{", headers=headers)
    assert (junk.status, junk.data["message"]) == (400, "The request body could not be understood.")
    answer = await api.call("DELETE", "/v1/account/sessions/current", data=b"{", headers=headers)
    assert answer.status == 204


async def test_a_form_works_like_json(api: Api):
    """Urlencoded and multipart fields are as good as JSON's."""
    fields = {"email": "ann@example.com", "url": "http://localhost/reset"}
    assert (await api.call("POST", "/v1/account/recovery", data=fields)).status == 201
    multipart = FormData(fields, default_to_multipart=True)
    assert (await api.call("POST", "/v1/account/recovery", data=multipart)).status == 201
