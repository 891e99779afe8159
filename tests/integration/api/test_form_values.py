"""Forms carry text: where the API document has a boolean, a number or a list, the text is read as one."""

import pytest
from aiohttp import FormData

from service.db import Pool
from testkit.api import Api
from testkit.api_keys import key

SCRYPT = {
    "email": "bob@example.com", "password": "b448ad7b" * 16,
    "passwordSalt": "salt", "passwordCpu": "16384", "passwordMemory": "8", "passwordParallel": "1",
    "passwordLength": "64",
}  # fmt: skip


def form(fields: list[tuple[str, str]], *, multipart: bool) -> FormData:
    made = FormData(default_to_multipart=multipart)
    for name, value in fields:
        made.add_field(name, value)
    return made


@pytest.fixture
async def server(api: Api, pool: Pool) -> dict[str, str]:
    """A server's key, and the user `ann`."""
    headers = await key(pool)
    made = await api.call("POST", "/v1/users", json={"userId": "ann", "email": "ann@example.com"}, headers=headers)
    assert made.status == 201
    return headers


@pytest.mark.parametrize("multipart", [False, True])
@pytest.mark.parametrize(
    ("modern", "text", "shown"),
    [(False, "0", 0), (False, "1", 1), (False, "2", 2), (False, "true", 1), (False, "false", 2),
     (True, "true", True), (True, "false", False), (True, "1", True), (True, "0", False), (True, "2", False)],
)  # fmt: skip
async def test_a_status(api: Api, server: dict[str, str], *, multipart: bool, modern: bool, text: str, shown: object):
    """The legacy era's three numbers, the modern era's two values in both of their spellings."""
    data = form([("status", text)], multipart=multipart)
    answer = await api.call("PATCH", "/v1/users/ann/status", data=data, headers=server, modern=modern)
    assert (answer.status, answer.data["status"]) == (200, shown)


@pytest.mark.parametrize("multipart", [False, True])
@pytest.mark.parametrize(("text", "kept"), [("true", True), ("1", True), ("false", False), ("0", False)])
async def test_a_boolean(api: Api, server: dict[str, str], multipart: bool, text: str, kept: bool):
    """In both kinds of form `true`, `false`, `1` and `0` are booleans."""
    data = form([("emailVerification", text)], multipart=multipart)
    answer = await api.call("PATCH", "/v1/users/ann/verification", data=data, headers=server, modern=True)
    assert (answer.status, answer.data["emailVerification"]) == (200, kept)


@pytest.mark.parametrize("text", ["yes", "on", "TRUE", "2", "-1", "1.0", " 1", "٠", ""])
async def test_other_words_are_no_booleans(api: Api, server: dict[str, str], text: str):
    """Another word for a boolean gets a 400 that names the field, and nothing changes."""
    data = form([("emailVerification", text)], multipart=False)
    answer = await api.call("PATCH", "/v1/users/ann/verification", data=data, headers=server, modern=True)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert "emailVerification" in answer.data["message"]


async def test_json_stays_strict(api: Api, server: dict[str, str]):
    """In JSON a boolean is a boolean and a number a number, never a text."""
    for value in ("true", "1", 1, 0):
        answer = await api.call(
            "PATCH", "/v1/users/ann/verification", json={"emailVerification": value}, headers=server
        )
        assert answer.status == 400
    for value in ("true", "2", "0"):
        answer = await api.call("PATCH", "/v1/users/ann/status", json={"status": value}, headers=server)
        assert answer.status == 400
    answer = await api.call("POST", "/v1/users/scrypt", json=SCRYPT, headers=server)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")


async def test_a_modern_zero_blocks(api: Api, server: dict[str, str]):
    """A value that is false for every modern client never lets a user in, in JSON neither."""
    answer = await api.call("PATCH", "/v1/users/ann/status", json={"status": 0}, headers=server, modern=True)
    assert (answer.status, answer.data["status"]) == (200, False)


@pytest.mark.parametrize("multipart", [False, True])
async def test_numbers(api: Api, server: dict[str, str], multipart: bool):
    """A form's whole numbers are numbers, as the four of a scrypt import; others are refused."""
    data = form(list(SCRYPT.items()), multipart=multipart)
    answer = await api.call("POST", "/v1/users/scrypt", data=data, headers=server, modern=True)
    assert (answer.status, answer.data["email"]) == (201, "bob@example.com"), answer.data
    data = form([*({**SCRYPT, "passwordCpu": "16384.0"}).items()], multipart=multipart)
    assert (await api.call("POST", "/v1/users/scrypt", data=data, headers=server)).status == 400


@pytest.mark.parametrize("multipart", [False, True])
@pytest.mark.parametrize("names", [("labels[]", "labels[]"), ("labels[0]", "labels[1]")])
async def test_lists(api: Api, server: dict[str, str], multipart: bool, names: tuple[str, str]):
    """A form's list is written with empty brackets, or with numbers from 0."""
    data = form(list(zip(names, ("vip", "1"), strict=True)), multipart=multipart)
    answer = await api.call("PUT", "/v1/users/ann/labels", data=data, headers=server, modern=True)
    assert (answer.status, answer.data["labels"]) == (200, ["vip", "1"])


@pytest.mark.parametrize(
    "fields", [[("labels", "vip")], [("labels[a]", "vip")], [("labels[1]", "vip")], [("labels[0][]", "vip")]]
)
async def test_what_is_no_list(api: Api, server: dict[str, str], fields: list[tuple[str, str]]):
    """A word, names, a list that begins later and a list of lists are refused where a list is wanted."""
    answer = await api.call("PUT", "/v1/users/ann/labels", data=form(fields, multipart=False), headers=server)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")


async def test_preferences_have_no_types(api: Api, server: dict[str, str]):
    """Nobody says what an app's own values are, so they stay text; lists in them are lists."""
    fields = [("prefs[a]", "1"), ("prefs[b][c]", "true"), ("prefs[d][]", "x"), ("prefs[d][]", "y")]
    fields += [("prefs[e][0][f]", "2"), ("prefs[0]", "z")]
    for multipart in (False, True):
        data = form(fields, multipart=multipart)
        answer = await api.call("PATCH", "/v1/users/ann/prefs", data=data, headers=server, modern=True)
        assert (answer.status, answer.data) == (
            200, {"a": "1", "b": {"c": "true"}, "d": ["x", "y"], "e": [{"f": "2"}], "0": "z"},
        )  # fmt: skip


async def test_text_that_looks_like_a_number_stays_text(api: Api, pool: Pool):
    """A password, a name and an id are what was typed."""
    fields = [("userId", "123"), ("email", "eve@example.com"), ("password", "8271946305"), ("name", "true")]
    made = await api.call("POST", "/v1/account", data=form(fields, multipart=False), modern=True)
    assert (made.status, made.data["$id"], made.data["name"]) == (201, "123", "true")
    signed = await api.call("POST", "/v1/account/sessions/email", data=form(fields[1:3], multipart=True), modern=True)
    assert signed.status == 201


@pytest.mark.parametrize("twice", ["email[]=ann@example.com&email[]=eve@example.com", "email[]=ann@example.com"])
async def test_a_list_is_no_address(api: Api, twice: str):
    """A list is refused where one text is wanted, however many it holds."""
    answer = await api.call(
        "POST", "/v1/account/recovery", data=f"{twice}&url=http://localhost/x",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    assert (answer.status, answer.data["message"]) == (400, "Invalid email: Value must be a valid string")
