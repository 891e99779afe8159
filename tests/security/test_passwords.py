"""Passwords that may be set: bounds of length, common, breached, personal and old ones (S48 to S53)."""

import hashlib
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from service.app import make
from service.crypto import breached_passwords
from service.crypto.breached_passwords import BreachedPasswords
from service.db import Pool
from service.http.middleware import SERVICES
from service.settings import InvalidSettings, Settings
from service.store import projects
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api
from testkit.proofs import ANN, WAYS, Post, use

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]

GOOD = "an unheard-of word"
RECOVERY = WAYS[0]


async def sign_up(api: Api, post: Post, password: str, *, modern: bool) -> Any:
    body = {"userId": "unique()", "email": ANN, "name": "Annabel Lee", "password": password}
    return await api.call("POST", "/v1/account", json=body, modern=modern)


async def _ann(api: Api) -> str:
    body = {"email": ANN, "name": "Annabel Lee", "password": "correct horse"}
    return (await api.call("POST", "/v1/account", json=body)).data["$id"]


async def change(api: Api, post: Post, password: str, *, modern: bool) -> Any:
    await _ann(api)
    body = {"password": password, "oldPassword": "correct horse"}
    return await api.call("PATCH", "/v1/account/password", json=body, headers=await api.sign_in(), modern=modern)


async def recover(api: Api, post: Post, password: str, *, modern: bool) -> Any:
    proof = await post.issue(Kind.RECOVERY, await _ann(api))
    return await use(api, RECOVERY, proof, body={"password": password, "passwordAgain": password}, modern=modern)


async def become_real(api: Api, post: Post, password: str, *, modern: bool) -> Any:
    answer = await api.call("POST", "/v1/account/sessions/anonymous", json={})
    member = {"Cookie": answer.headers.getall("Set-Cookie")[-1].partition(";")[0]}
    await post.pool.execute("update users set name = 'Annabel Lee'")
    body = {"email": ANN, "password": password}
    return await api.call("PATCH", "/v1/account/email", json=body, headers=member, modern=modern)


async def create(api: Api, post: Post, password: str, *, modern: bool) -> Any:
    body = {"email": ANN, "name": "Annabel Lee", "password": password}
    return await api.call("POST", "/v1/users", json=body, headers=await api_keys.key(post.pool), modern=modern)


async def set_by_operator(api: Api, post: Post, password: str, *, modern: bool) -> Any:
    path = f"/v1/users/{await _ann(api)}/password"
    headers = await api_keys.key(post.pool)
    return await api.call("PATCH", path, json={"password": password}, headers=headers, modern=modern)


Set = Callable[..., Awaitable[Any]]
SETS: dict[str, Set] = {
    "sign-up": sign_up,
    "change": change,
    "recovery": recover,
    "first address": become_real,
    "operator makes": create,
    "operator sets": set_by_operator,
}
DONE = {sign_up: 201, change: 200, recover: 200, become_real: 200, create: 201, set_by_operator: 200}
each_set = pytest.mark.parametrize("setting", SETS.values(), ids=SETS)
eras = pytest.mark.parametrize("modern", [False, True])
OTHER = "\N{COMBINING ACUTE ACCENT}"
REFUSED = {
    "too short, legacy": (False, "abcd5"),
    "too long, legacy": (False, "a lot of horses" + "x" * 18),
    "too short": (True, "abcdef7"),
    "seven marks are seven": (True, OTHER * 7),
    "too long": (True, "x" * 257),
    "a megabyte's worth": (True, "x" * 40_000),
    "NUL": (True, "correct\0horse"),
    "lone surrogate": (True, "correct\ud800horse"),
    "common": (True, "password"),
    "common, capitals": (True, "PassWord"),
    "common, disguised": (False, "p@ssw0rd"),
    "common, with more": (True, "Password1!"),
    "common, legacy": (False, "123456"),
}
ACCEPTED = {
    "shortest, legacy": (False, "tZ4+fq"),
    "longest, legacy": (False, "x9" + "a horse of" * 3),
    "shortest": (True, "tZ4+fqo7"),
    "eight marks": (True, OTHER * 8),
    "longest": (True, "a horse!" * 32),
    "longest, in bytes": (True, "\N{HORSE}" * 256),
    "spaces count": (True, "  so what now  "),
}


@each_set
@pytest.mark.parametrize(("modern", "password"), REFUSED.values(), ids=REFUSED)
async def test_s48_a_bad_password_is_refused(api: Api, post: Post, setting: Set, modern: bool, password: str):
    """Every way to set a password has the same bounds, in code points, and the same list: 400, nothing is changed."""
    answer = await setting(api, post, password, modern=modern)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid"), answer.data
    hashes = await post.pool.fetch("select password_hash from users where password_hash is not null")
    assert not [line for (line,) in hashes if not PasswordHasher().verify(line, "correct horse")]


@each_set
@pytest.mark.parametrize(("modern", "password"), ACCEPTED.values(), ids=ACCEPTED)
async def test_s48_a_good_password_is_taken_as_it_is(api: Api, post: Post, setting: Set, modern: bool, password: str):
    """A password within the bounds signs in, to its last code point and in either API version; nothing near it does."""
    assert (await setting(api, post, password, modern=modern)).status == DONE[setting]
    for era in (False, True):
        for tried, status in (
            (password, 201),
            (password[:-1], 401),
            (password + "x", 401 if len(password) < 256 else 400),
        ):
            body = {"email": ANN, "password": tried}
            assert (await api.call("POST", "/v1/account/sessions", json=body, modern=era)).status == status


@pytest.mark.parametrize("length", [0, 1, 256, 257])
@eras
async def test_s48_a_login_hears_any_length(api: Api, length: int, modern: bool):
    """A sign-in accepts passwords of 1 to 256 code points: they may have been set under other rules."""
    await api.sign_up(ANN)
    body = {"email": ANN, "password": "\N{HORSE}" * length}
    answer = await api.call("POST", "/v1/account/sessions", json=body, modern=modern)
    assert answer.status == (401 if 1 <= length <= 256 else 400)


async def test_s50_a_password_is_not_normalised(api: Api):
    """Composed and decomposed letters are two passwords, and so are cases and spaces."""
    await api.sign_up(ANN, "un caf\u00e9 noir")
    for near in ("un cafe\u0301 noir", "Un caf\u00e9 noir", "un caf\u00e9 noir ", " un caf\u00e9 noir"):
        answer = await api.call("POST", "/v1/account/sessions", json={"email": ANN, "password": near})
        assert answer.status == 401
    await api.sign_in(ANN, "un caf\u00e9 noir")


def test_s52_the_list_is_long_enough():
    """At least the 3,000 most common ones that are long enough for either era are on it (ASVS 6.2.4)."""
    common = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 8]
    assert len(common) >= 3000
    assert all(breached_passwords.is_common(word) for word in common)
    assert all(breached_passwords.is_common(word.upper()) for word in common[:3000])


@pytest.mark.parametrize(
    "password", ["correct horse", GOOD, "a new password", "my dragon is red", "tZ4+fqo7", "x", "passwordless"]
)
def test_s52_what_is_not_common_is_left_alone(password: str):
    """A common word inside a longer password makes it no common password."""
    assert not breached_passwords.is_common(password)


@each_set
@pytest.mark.parametrize(
    ("word", "status"), [("Flower Shop", 400), ("FlowerShop123", 400), ("flower shop keeper", None)]
)
async def test_s52_a_password_is_not_the_projects_name(
    api: Api, post: Post, setting: Set, word: str, status: int | None
):
    """Its name with at most four characters added is one that everybody knows; inside a longer one it may stand."""
    await projects.change(post.pool, "shop", name="Flower Shop")
    answer = await setting(api, post, word, modern=True)
    assert answer.status == (status or DONE[setting])


@each_set
@eras
@pytest.mark.parametrize("word", [ANN, "Ann@Example.com!", "annabel lee", "my ANNABEL LEE"])
async def test_s52_a_password_tells_nothing_of_its_owner(api: Api, post: Post, setting: Set, modern: bool, word: str):
    """The name or the address, alone or as a part: refused with Appwrite's type in every way and era."""
    answer = await setting(api, post, word, modern=modern)
    assert (answer.status, answer.data["type"]) == (400, "password_personal_data")


async def test_s52_short_names_may_stand_in_a_password(api: Api, post: Post):
    """Three letters of a name stand in many a word: only as the whole password they are refused."""
    assert (await sign_up(api, post, "annual giraffes", modern=True)).status == 201


@each_set
@pytest.mark.parametrize(
    ("column", "word"), [("password_blocklist", "Password1!"), ("password_personal_data", "annabel lee")]
)
async def test_s52_a_project_may_do_without(api: Api, post: Post, setting: Set, column: str, word: str):
    """Each check is a switch of the project's, for conformance runs and for those that know better."""
    await projects.change(post.pool, "shop", **{column: False})
    assert (await setting(api, post, word, modern=True)).status == DONE[setting]


async def chosen(api: Api, member: dict[str, str], old: str, new: str) -> Any:
    body = {"oldPassword": old, "password": new}
    return await api.call("PATCH", "/v1/account/password", json=body, headers=member, modern=True)


async def test_s52_the_last_passwords_are_not_chosen_again(api: Api, pool: Pool, post: Post):
    """Three are remembered, today's counted: the third last is refused in every way, the fourth last is free again."""
    await projects.change(pool, "shop", password_history=3)
    words = [f"horse of rider {letter}" for letter in "abcd"]
    ann = (await api.sign_up(ANN, words[0]))["$id"]
    member = await api.sign_in(ANN, words[0])
    for old, new in pairwise(words):
        assert (await chosen(api, member, old, new)).status == 200
    for word in words[1:]:
        body = {"password": word, "passwordAgain": word}
        answers = [
            await chosen(api, member, words[-1], word),
            await use(api, RECOVERY, await post.issue(Kind.RECOVERY, ann), body=body, modern=True),
            await api.call(
                "PATCH", f"/v1/users/{ann}/password", json=body, headers=await api_keys.key(pool), modern=True
            ),
        ]
        assert {(answer.status, answer.data["type"]) for answer in answers} == {(400, "password_recently_used")}
    assert (await pool.fetchrow("select count(*) from password_history"))[0] == 2
    assert (await chosen(api, member, words[-1], words[0])).status == 200
    assert (await pool.fetchrow("select count(*) from password_history"))[0] == 2


async def test_s52_without_a_history_nothing_is_kept(api: Api, pool: Pool):
    """Unless a project asks for it no earlier hash stays, and what was kept goes with the next change."""
    await api.sign_up(ANN)
    member = await api.sign_in()
    await pool.execute(
        "insert into password_history (project_id, user_id, password_hash) select project_id, id, 'old' from users"
    )
    assert (await chosen(api, member, "correct horse", GOOD)).status == 200
    assert (await chosen(api, member, GOOD, GOOD)).status == 200
    assert (await pool.fetchrow("select count(*) from password_history"))[0] == 0


BREACHED = [f"stolen horse {number}" for number in range(2000)]


def _sha1(word: str) -> str:
    return hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper()


def _write(folder: Path, shape: str) -> Path:
    """The breached words among others, as the export is: in one file, or in one a prefix."""
    lines = sorted(f"{_sha1(word)}:{number + 1}" for number, word in enumerate(BREACHED))
    lines += [f"{_sha1('padding')}:0"] if shape == "folder" else []
    end = "\r\n" if shape != "file, unix" else "\n"
    if shape != "folder":
        path = folder / "pwned.txt"
        path.write_text("".join(line + end for line in sorted(lines)), newline="")
        return path
    for prefix in {line[:5] for line in lines}:
        rests = sorted(line[5:] for line in lines if line.startswith(prefix))
        (folder / f"{prefix}.txt").write_text(end.join(rests), newline="")
    return folder


@pytest.mark.parametrize("shape", ["file", "file, unix", "folder"])
def test_s52_every_breached_password_is_found(tmp_path: Path, shape: str):
    """Each of two thousand, the first and the last line too, and no other; a name with a count of none is padding."""
    ranges = BreachedPasswords(_write(tmp_path, shape))
    assert all(ranges.contain(word) for word in BREACHED)
    assert not any(ranges.contain(f"my own horse {random.getrandbits(64)}") for _ in range(500))
    assert not ranges.contain("padding")


@pytest.mark.parametrize("lines", [1, 2, 63, 64, 65, 200])
def test_s52_a_file_of_any_length_is_searched_to_its_ends(tmp_path: Path, lines: int):
    """Whatever the number of lines, none is missed where the search ends."""
    path = tmp_path / "pwned.txt"
    words = BREACHED[:lines]
    path.write_text("".join(f"{line}:7\r\n" for line in sorted(map(_sha1, words))), newline="")
    assert all(BreachedPasswords(path).contain(word) for word in words)
    assert not any(BreachedPasswords(path).contain(word) for word in BREACHED[lines : lines + 100])


def test_s52_ranges_that_go_away_refuse_nobody(tmp_path: Path):
    """A disk that can't be read must not keep people from choosing a password; the log says so."""
    path = _write(tmp_path, "file")
    ranges = BreachedPasswords(path)
    path.unlink()
    assert ranges.contain(BREACHED[0]) is False


def test_s64_a_path_that_holds_none_stops_the_start(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    """A wrong path is no empty list: it is refused by name before anything is served."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PASSWORD_RANGES", str(tmp_path / "nowhere"))
    with pytest.raises(InvalidSettings, match="PASSWORD_RANGES"):
        Settings.read()
    junk = tmp_path / "junk.txt"
    junk.write_text("no hash\n")
    for path in (junk, tmp_path):
        with pytest.raises(ValueError, match="no ranges"):
            BreachedPasswords(path)


@each_set
async def test_s52_a_breached_password_is_refused(
    aiohttp_client: Any, api: Api, post: Post, setting: Set, tmp_path: Path
):
    """With a file of breached ones none of them may be chosen, in any way to set a password."""
    settings = post.settings.model_copy(update={"password_ranges": str(_write(tmp_path, "file"))})
    service = Api(await aiohttp_client(make(settings)))
    answer = await setting(service, post, BREACHED[7], modern=True)
    assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")


@pytest.mark.parametrize("memory", [7168, 2**20])
async def test_s53_what_is_stored_is_brought_up_to_date_or_refused(api: Api, pool: Pool, memory: int):
    """A weaker hash signs in and is replaced; one that asks for a gigabyte is a wrong password at once."""
    await api.sign_up(ANN)
    weak = PasswordHasher(time_cost=1, memory_cost=7168, parallelism=1).hash("correct horse")
    await pool.execute("update users set password_hash = $1", weak.replace("m=7168", f"m={memory}"))
    answer = await api.call("POST", "/v1/account/sessions", json={"email": ANN, "password": "correct horse"})
    line = (await pool.fetchrow("select password_hash from users"))[0]
    assert answer.status == (201 if memory == 7168 else 401)
    assert extract_parameters(line).memory_cost == (8 if memory == 7168 else memory)


async def test_s51_a_flood_of_logins_waits_in_one_queue(api: Api):
    """Known or unknown, right or wrong: all hashes of a process wait in the same line, so its length tells nothing."""
    services = api.client.app[SERVICES]
    await api.sign_up(ANN)
    seen = []
    run = services.passwords._run
    services.passwords._run = lambda work: seen.append(work) or run(work)
    for email, password in ((ANN, "correct horse"), (ANN, "wrong horse"), ("nobody@example.com", "wrong horse")):
        await api.call("POST", "/v1/account/sessions", json={"email": email, "password": password})
    await api.call("POST", "/v1/account", json={"email": ANN, "password": GOOD})
    assert len(seen) == 4
