"""Bodies, preferences, numbers and text: one reading or a refusal (docs/security.md S38 to S47)."""

import json
from typing import Any

import pytest

from service import app
from service.db import Pool
from service.http.routing import Route
from service.store import projects
from testkit.api import Api
from testkit.api_keys import key

pytestmark = pytest.mark.unlimited

JSON = {"Content-Type": "application/json"}
TWICE = "The request body must not contain a key twice."
DEEP = "The request body must not be nested deeper than 64 levels."


@pytest.fixture
async def member(api: Api) -> dict[str, str]:
    await api.sign_up()
    return await api.sign_in()


async def keep(api: Api, member: dict[str, str], prefs: str, *, modern: bool = True) -> Any:
    """The answer to preferences that are written by hand: a library would repair them."""
    raw = b'{"prefs":' + prefs.encode() + b"}"
    return await api.call("PATCH", "/v1/account/prefs", data=raw, headers=member | JSON, modern=modern)


def nested(depth: int, *, of: str = "object") -> str:
    start, end = ('{"a":', "}") if of == "object" else ("[", "]")
    return start * depth + "1" + end * depth


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("of", ["object", "array"])
async def test_s38_depth(api: Api, member: dict[str, str], of: str, modern: bool):
    """64 levels below a field are kept and told again; one more is refused, in fields that nobody reads too."""
    inner = 63 if of == "array" else 64
    text = nested(inner, of=of) if of == "object" else '{"a":' + nested(inner, of=of) + "}"
    kept = await keep(api, member, text, modern=modern)
    assert kept.status == 200
    assert (await (await api.call("GET", "/v1/account/prefs", headers=member)).read()).decode() == text
    for depth in (inner + 1, 500, 1000, 12_000):
        deeper = nested(depth, of=of) if of == "object" else '{"a":' + nested(depth, of=of) + "}"
        answer = await keep(api, member, deeper, modern=modern)
        assert answer.status == 400
        assert depth > 1000 or answer.data["message"] == DEEP
    unread = '{"email":"ann@example.com","password":"correct horse","x":' + nested(65, of=of) + "}"
    answer = await api.call("POST", "/v1/account/sessions", data=unread, headers=JSON, modern=modern)
    assert (answer.status, answer.data["message"]) == (400, DEEP)


async def test_s38_many_keys_and_bytes(api: Api, member: dict[str, str]):
    """65,535 bytes as they are stored are kept, one more is not, nor are more than 96 KiB in any shape."""
    fits = json.dumps({"a": "x" * (65_535 - len('{"a":""}'))}, separators=(",", ":"))
    over = json.dumps({"a": "x" * (65_536 - len('{"a":""}'))}, separators=(",", ":"))
    assert (await keep(api, member, fits)).status == 200
    assert (await keep(api, member, " " + fits.replace(":", " : "))).status == 200, "blanks are not stored"
    refused = await keep(api, member, over)
    assert (refused.status, refused.data["message"]) == (
        400,
        "Invalid `prefs` param: Value must not be larger than 65535 bytes",
    )
    assert (await keep(api, member, json.dumps({str(number): 0 for number in range(6_000)}))).status == 200
    assert (await keep(api, member, json.dumps({str(number): 0 for number in range(12_000)}))).status == 413
    assert (await keep(api, member, json.dumps({"a": "x" * 100_000}))).status == 413


NUMBERS = [
    "0", "-0", "1", "-1", "1.0", "1.50", "-0.0", "1e5", "1E5", "1e+5", "1e16", "1e300", "1e-400", "5e-324",
    "0.1000000000000000055511151231257827", "123456789012345678901234567890.5", "9223372036854775807",
    "-9223372036854775808", "9007199254740993", "3.141592653589793238462643383279",
]  # fmt: skip
NO_NUMBERS = [
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e131071", "01", "-01", "+1", ".5", "5.", "1e", "0x10", "1_000",
    "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "1" * 30, "9" * 400, "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("modern", [False, True])
async def test_s39_numbers_are_kept_to_the_letter(api: Api, member: dict[str, str], modern: bool):
    """A finite number comes back as it was spelled, at any depth and after a merge; any other is refused."""
    for number in NUMBERS:
        text = f'{{"a":{number},"b":[{number},{{"c":{number}}}]}}'
        assert (await keep(api, member, text, modern=modern)).status == 200, number
        if not modern:
            assert (await keep(api, member, '{"d":true}', modern=modern)).status == 200
            text = text[:-1] + ',"d":true}'
            member_now = await api.call("GET", "/v1/account", headers=member)
            assert f'"prefs":{text}' in (await member_now.read()).decode()
        found = await api.call("GET", "/v1/account/prefs", headers=member)
        assert (await found.read()).decode() == text
        assert (await keep(api, member, '{"d":null,"a":null,"b":null}', modern=False)).status == 200
    for number in NO_NUMBERS:
        for text in (f'{{"a":{number}}}', f'{{"a":[[{number}]]}}'):
            answer = await keep(api, member, text, modern=modern)
            assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid"), number


TWINS = [
    '{"email":"ann@example.com","password":"correct horse","password":"x"}',
    '{"password":"x","email":"ann@example.com","password":"correct horse"}',
    '{"email":"ann@example.com","password":"correct horse","a":1,"a":1}',
    '{"email":"ann@example.com","password":"correct horse","pass\\u0077ord":"x"}',
    '{"email":"ann@example.com","password":"correct horse","a":{"b":1,"b":2}}',
    '{"email":"ann@example.com","password":"correct horse","a":[{"b":1,"b":2}]}',
    '{"email":"ann@example.com","password":"correct horse","":1,"":2}',
    '{"email":"ann@example.com","password":"correct horse","x":1,"x":"y"}',
    '{"email":"ann@example.com","password":1,"password":"correct horse"}',
]


@pytest.mark.parametrize("modern", [False, True])
async def test_s40_a_key_that_stands_twice(api: Api, member: dict[str, str], modern: bool):
    """Two readers could believe different ones: refused at any depth, however it is escaped, in forms too."""
    for raw in TWINS:
        answer = await api.call("POST", "/v1/account/sessions", data=raw, headers=JSON, modern=modern)
        assert (answer.status, answer.data["message"]) == (400, TWICE), raw
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for twin in ("pass%77ord=x", "password]=x", "password[]=x", "password[a]=x", "x=1&x[password]=y", "x[a]=1&x=2"):
        body = f"email=ann%40example.com&password=correct+horse&{twin}"
        answer = await api.call("POST", "/v1/account/sessions", data=body, headers=form, modern=modern)
        told = (answer.status, answer.data["message"])
        assert told == (400, "The request body must not contain a field twice."), twin
    assert (await keep(api, member, '{"a":1,"a":2}', modern=modern)).data["message"] == TWICE
    assert (await keep(api, member, '{"a":{"b":1,"b":2}}', modern=modern)).data["message"] == TWICE


GOOD = '{"email":"ann@example.com","password":"correct horse"}'


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + GOOD.encode(), GOOD.encode("utf-16"), GOOD.encode("utf-16-le"), GOOD.encode("utf-32"),
        GOOD.encode("utf-7").replace(b"{", b"+AHs-"), GOOD.encode() + b"x", GOOD.encode() + b"{}",
        GOOD.encode() + b"\0", b"\0" + GOOD.encode(), GOOD.encode().replace(b"horse", b"h\x80"),
        GOOD.encode().replace(b"horse", b"\xc0\xaf"), GOOD.encode().replace(b"horse", b"\xed\xa0\x80"),
        GOOD.encode().replace(b"horse", b"\xf4\x90\x80\x80"), GOOD.encode().replace(b"horse", b"\\ud800"),
        GOOD.encode().replace(b"horse", b"\n"), b"/**/" + GOOD.encode(), b")]}'\n" + GOOD.encode(),
        b"\x1f\x8b\x08" + GOOD.encode(), b"\x0c" + GOOD.encode(), "\u00a0".encode() + GOOD.encode(),
    ],
)  # fmt: skip
async def test_s40_what_is_not_json_in_utf8(api: Api, member: dict[str, str], raw: bytes):
    """Marks of byte order, other encodings, bad UTF-8, anything before or behind the object: 400, never a sign-in."""
    for kind in ("application/json", "application/json; charset=utf-16", "application/json;charset=utf-8"):
        answer = await api.call("POST", "/v1/account/sessions", data=raw, headers={"Content-Type": kind})
        assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")


BAD_TEXTS = [
    b"\\u0000", b"a\\u0000b", b"\\ud800", b"a\\udc00", b"\\udc00\\ud800", b"\\ufffe", b"a\\uffff", b"\\ufdd0",
    b"\\ud83f\\udffe", b"\xed\xa0\x80", b"\xc0\x80", b"a\xff",
]  # fmt: skip
TYPED = [route for route in app.routes() if route.contract.request]


def body_of(route: Route) -> dict[str, Any]:
    """Every field of a route's model with the example that the API document has."""
    assert route.contract.request
    fields = route.contract.request.model_fields
    return {field.alias or name: (field.examples or ["x" * 10])[0] for name, field in fields.items()}


@pytest.mark.parametrize("route", TYPED, ids=lambda route: route.name)
async def test_s41_no_field_takes_what_is_no_text(api: Api, pool: Pool, member: dict[str, str], route: Route):
    """NUL, lone surrogates, noncharacters, bad UTF-8, escaped or raw: 400 in every field of every route, both eras."""
    who = member if route.access == "member" else {} if route.access == "public" else await key(pool)
    path = route.paths[0].replace("{userId}", "ann").replace("{targetId}", "x").replace("{sessionId}", "current")
    path = path.replace("{type}", "totp").replace("{passkeyId}", "x")
    wrong = []
    for name in body_of(route):
        for bad in BAD_TEXTS:
            parts = [
                json.dumps(field).encode() + b":" + (b'"' + bad + b'"' if field == name else json.dumps(value).encode())
                for field, value in body_of(route).items()
            ]
            for modern in (False, True):
                raw = b"{" + b",".join(parts) + b"}"
                answer = await api.call(route.method, path, data=raw, headers=who | JSON, modern=modern)
                # A hosted page refuses in HTML, and asks again for a code that is none as for a wrong one.
                typed_in = (("confirm_code", "secret"), ("approve_magic_url", "number"))
                expected = (400, 401) if (route.name, name) in typed_in else (400,)
                typed = route.page or answer.data["type"] == "general_argument_invalid"
                if answer.status not in expected or not typed:
                    wrong.append((name, bad, modern, answer.status))
    assert not wrong


async def test_s41_prefs_and_labels(api: Api, pool: Pool, member: dict[str, str]):
    """Invalid text is refused in keys and values of preferences, at any depth and in lists."""
    for bad in BAD_TEXTS:
        text = bad.decode("utf-8", "surrogateescape")
        for prefs in (
            f'{{"a":"{text}"}}',
            f'{{"{text}":1}}',
            f'{{"a":[{{"b":["{text}"]}}]}}',
            f'{{"a":{{"{text}":1}}}}',
        ):
            raw = b'{"prefs":' + prefs.encode("utf-8", "surrogateescape") + b"}"
            for modern in (False, True):
                answer = await api.call(
                    "PATCH", "/v1/account/prefs", data=raw, headers=member | JSON, modern=modern
                )  # fmt: skip
                assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid"), prefs
    assert (await keep(api, member, '{"a\\tb":"\\r\\n\\u2028\\u200f\\u001b\\u007f😀"}')).status == 200


HARMLESS = [
    "$where",
    "$ne",
    "$gt",
    "a.b",
    "..",
    "' or 1=1 --",
    "<b>",
    "toString",
    "valueOf",
    "prototype",
    "hasOwnProperty",
]
HARMFUL = ["__proto__", "constructor"]


async def test_s42_operators_are_data(api: Api, member: dict[str, str]):
    """A query language's words are kept as they are; the two keys that break some clients' parsers are refused."""
    for name in HARMLESS:
        text = json.dumps({name: {name: [name]}}, separators=(",", ":"))
        assert (await keep(api, member, text)).status == 200
        assert (await (await api.call("GET", "/v1/account/prefs", headers=member)).read()).decode() == text
    for name in HARMFUL:
        for text in (f'{{"{name}":1}}', f'{{"a":{{"{name}":1}}}}', f'{{"a":[[{{"{name}":1}}]]}}',
                     f'{{"\\u{ord(name[0]):04x}{name[1:]}":1}}'):  # fmt: skip
            answer = await keep(api, member, text)
            assert answer.data["message"] == f"Invalid `prefs` param: Value must not contain the key {name}"


EXTRA = {
    "$id": "eve", "id": "eve", "userId": "eve", "email": "eve@example.com", "emailVerification": True, "status": False,
    "labels": ["admin"], "registration": 0, "passwordUpdate": 0, "hash": "x", "hashOptions": {},
    "phone": "+12025550123", "phoneVerification": True, "mfa": True, "prefs": {"admin": True}, "targets": [],
    "accessedAt": "", "name": "Eve", "project_id": "other", "projectId": "other", "email_version": 9,
    "roles": ["owner"], "password_hash": "x",
}  # fmt: skip


@pytest.mark.parametrize("modern", [False, True])
async def test_s43_mass_assignment(api: Api, member: dict[str, str], modern: bool):
    """A field that a route does not take changes nothing, on any of a member's routes."""
    routes = {
        ("PATCH", "/v1/account/name"): ({"name": "Ann"}, {"name"}),
        ("PATCH", "/v1/account/prefs"): ({"prefs": {"a": 1}}, {"prefs"}),
        ("POST", "/v1/account/verification"): ({"url": "http://localhost/v"}, set()),
        ("POST", "/v1/account/jwt"): ({}, set()),
        ("PATCH", "/v1/account/sessions/current"): ({}, set()),
        ("PATCH", "/v1/account/password"): (
            {"password": "another horse", "oldPassword": "correct horse"}, {"passwordUpdate"},
        ),
    }  # fmt: skip
    for (method, path), (good, changed) in routes.items():
        before = (await api.call("GET", "/v1/account", headers=member, modern=modern)).data
        answer = await api.call(method, path, json=EXTRA | good, headers=member, modern=modern)
        assert answer.status < 300, (path, answer.data)
        after = (await api.call("GET", "/v1/account", headers=member, modern=modern)).data
        differs = {name for name in before if before[name] != after[name]}
        assert differs <= changed | {"$updatedAt", "accessedAt", "targets"}, path


async def test_s43_a_new_account_owns_nothing_it_asked_for(api: Api):
    """At sign-up an id, an address, a password and a name count, and nothing else."""
    good = {"userId": "bob", "email": "bob@example.com", "password": "correct horse", "name": "Bob"}
    made = (await api.call("POST", "/v1/account", json=EXTRA | good, modern=True)).data
    assert (made["$id"], made["email"], made["name"]) == ("bob", "bob@example.com", "Bob")
    assert (made["emailVerification"], made["status"], made["labels"], made["prefs"]) == (False, True, [], {})


@pytest.mark.parametrize("modern", [False, True])
async def test_s44_one_source_each(api: Api, pool: Pool, member: dict[str, str], modern: bool):
    """A project that is named twice and differently is refused, wherever the two names stand; equal ones are one."""
    await projects.create(pool, "other", name="Other")
    body = {"email": "ann@example.com", "password": "correct horse"}
    rows = [
        ("shop", "", None, 201), (None, "?project=shop", None, 201), (None, "", "shop", 201),
        ("shop", "?project=shop", "shop", 201), ("", "?project=shop", None, 201), ("shop", "", "", 201),
        ("other", "?project=shop", None, 400), ("shop", "?project=other", None, 400), ("shop", "?project=", None, 400),
        ("shop", "?project=shop&project=other", None, 400), (None, "?project=shop&project=other", None, 400),
        (None, "?project=other&project=shop", None, 400), ("shop", "", "other", 400),
        (None, "?project=shop", "other", 400), ("shop", "", ["shop", "other"], 400), ("shop", "", {"$ne": ""}, 400),
        ("shop", "?project=nowhere", None, 400),
    ]  # fmt: skip
    for header, query, named, status in rows:
        sent = body | ({} if named is None else {"project": named})
        answer = await api.call(
            "POST", f"/v1/account/sessions{query}", json=sent, headers={"X-Appwrite-Project": header}, modern=modern
        )
        assert answer.status == status, (header, query, named, answer.data)
    answer = await api.client.request(
        "GET", "/v1/account", headers=[("X-Appwrite-Project", "shop"), ("X-Appwrite-Project", "other"), *member.items()]
    )
    assert answer.status == 400


@pytest.mark.parametrize("modern", [False, True])
async def test_s44_parameters_come_from_one_place(api: Api, member: dict[str, str], modern: bool):
    """A parameter of the body is not read from the query, from a header, or from a cookie."""
    query = "/v1/account/sessions?email=ann@example.com&password=correct+horse"
    answer = await api.call("POST", query, json={}, modern=modern)
    assert (answer.status, answer.data["message"]) == (400, 'Param "email" is not optional.')
    named = {"email": "ann@example.com", "Cookie": "email=ann@example.com"}
    assert (await api.call("POST", "/v1/account/sessions", json={}, headers=named, modern=modern)).status == 400
    answer = await api.call("PATCH", "/v1/account/name?name=Eve", json={"name": "Ann"}, headers=member, modern=modern)
    assert answer.data["name"] == "Ann"


IDS = [
    ".", "..", "-a", "_a", ".a", "a b", "a/b", "a%2fb", "%2e%2e", "x" * 37, "é", "ａ", "a\u0301", "a\u200b",
    "unique()x", "Unique()", "unique( )", " unique()", "a\n", "a\0", "a;b", "a'b", 'a"b', "a\\b", "a:b", "a@b", "a+b",
    "a*b", "ı", "ſ", "\u212a", "٣", "a\r\nX: y", "${a}", "{{a}}", "a,b", "a|b", "~a", "a#b", "a?b",
]  # fmt: skip


@pytest.mark.parametrize("modern", [False, True])
async def test_s47_an_id_of_ones_own(api: Api, modern: bool):
    """1 to 36 of a-z A-Z 0-9 . _ -, a letter or digit first; one that is taken is 409, in that very case only."""
    for number, text in enumerate(IDS):
        body = {"userId": text, "email": f"n{number}@example.com", "password": "correct horse"}
        answer = await api.call("POST", "/v1/account", json=body, modern=modern)
        assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid"), text
    for number, text in enumerate(["a", "A", "x" * 36, "a.b-c_d", "0", "null", "true", "current", "a" * 20]):
        body = {"userId": text, "email": f"y{number}@example.com", "password": "correct horse"}
        assert (await api.call("POST", "/v1/account", json=body, modern=modern)).data["$id"] == text
        twice = body | {"email": f"z{number}@example.com"}
        assert (await api.call("POST", "/v1/account", json=twice, modern=modern)).status == 409
