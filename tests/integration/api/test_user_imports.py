"""Users whose passwords came as hashes sign in with the password, and their hash becomes ours."""

import asyncio
import hashlib

import argon2
import bcrypt
import pytest

from service.db import Pool, transaction
from service.store import user_passwords, users
from testkit import api_keys
from testkit.api import Api
from testkit.patience import PATIENCE

_PASSWORD = "correct horse"
_BCRYPT = bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(5)).decode()
_SCRYPT = hashlib.scrypt(_PASSWORD.encode(), salt=b"pepper", n=8, r=14, p=2, dklen=64).hex()
_BY_SCRYPT = {
    "password": _SCRYPT, "passwordSalt": "pepper", "passwordCpu": 8, "passwordMemory": 14, "passwordParallel": 2,
    "passwordLength": 64,
}  # fmt: skip
# Of "correct horse" with 2^7 rounds and the salt saltsalt.
_PHPASS = "$P$5saltsaltL3FzpWcZLJU9vJ2S4.XV11"
_HASHES = {
    "argon2id": ("argon2", {"password": argon2.PasswordHasher(2, 4096, 3).hash(_PASSWORD)}),
    "argon2i": ("argon2", {"password": argon2.PasswordHasher(2, 4096, 1, type=argon2.Type.I).hash(_PASSWORD)}),
    "bcrypt": ("bcrypt", {"password": _BCRYPT}),
    "php's bcrypt": ("bcrypt", {"password": _BCRYPT.replace("$2b$", "$2y$")}),
    "scrypt": ("scrypt", _BY_SCRYPT),
    "md5": ("md5", {"password": hashlib.md5(_PASSWORD.encode(), usedforsecurity=False).hexdigest()}),
    "sha3-512": ("sha", {"password": hashlib.sha3_512(_PASSWORD.encode()).hexdigest()}),
    "sha256": ("sha", {"password": hashlib.sha256(_PASSWORD.encode()).hexdigest(), "passwordVersion": "sha256"}),
    "phpass": ("phpass", {"password": _PHPASS}),
}


async def _import(api: Api, pool: Pool, route: str, facts: dict[str, object], *, modern: bool = True):
    body = {"userId": "ann", "email": "ann@example.com", "name": "Ann"} | facts
    return await api.call("POST", f"/v1/users/{route}", headers=await api_keys.key(pool), json=body, modern=modern)


async def _login(api: Api, password: str):
    return await api.call("POST", "/v1/account/sessions", json={"email": "ann@example.com", "password": password})


@pytest.mark.parametrize("name", _HASHES)
async def test_an_imported_hash_opens(api: Api, pool: Pool, name: str):
    """Only the right password signs in; the first such login leaves a hash of today's kind that opens as well."""
    route, facts = _HASHES[name]
    made = await _import(api, pool, route, facts)
    assert (made.status, made.data["$id"], made.data["hash"], made.data["password"]) == (201, "ann", "", "")
    wrong = await _login(api, "wrong horse")
    assert (wrong.status, wrong.data["type"]) == (401, "user_invalid_credentials")
    before = await pool.fetchrow("select * from users")
    assert (await _login(api, _PASSWORD)).status == 201
    after = await pool.fetchrow("select * from users")
    assert after["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert after["password_updated_at"] == before["password_updated_at"], "the password is the same"
    assert (await _login(api, "wrong horse")).status == 401
    assert (await _login(api, _PASSWORD)).status == 201


async def test_bcrypt_looks_at_72_bytes(api: Api, pool: Pool):
    """An imported password beyond 72 bytes gets its user in; after that all of it counts."""
    long = "x" * 72 + "tail"
    await _import(api, pool, "bcrypt", {"password": bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()})
    assert (await _login(api, long)).status == 201
    assert (await _login(api, "x" * 72 + "other")).status == 401
    assert (await _login(api, long)).status == 201


@pytest.mark.parametrize(
    ("route", "facts"),
    [
        ("md5", {"password": _PASSWORD}),
        ("sha", {"password": "5f4dcc3b5aa765d61d8327deb882cf99"}),
        ("sha", {"password": "5f4dcc3b5aa765d61d8327deb882cf99", "passwordVersion": "md5"}),
        ("phpass", {"password": "$P$ZsaltsaltfeRo7ud9Fh4E2PdI0S3r.L0"}),
        (
            "scrypt-modified",
            {"password": "eA==", "passwordSalt": "eA==", "passwordSaltSeparator": "Bw==", "passwordSignerKey": "eA=="},
        ),
        ("argon2", {"password": _PASSWORD}),
        ("argon2", {"password": ""}),
        ("argon2", {"password": _BCRYPT}),
        ("argon2", {"password": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"}),
        ("argon2", {"password": "$argon2id$v=19$m=262144,t=9999,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"}),
        ("argon2", {"password": "$argon2id$v=19$m=4096,t=1,p=255$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"}),
        ("bcrypt", {"password": _BCRYPT.replace("$05$", "$15$")}),
        ("bcrypt", {"password": _BCRYPT.replace("$05$", "$31$")}),
        ("bcrypt", {"password": _BCRYPT.replace("$05$", "$03$")}),
        ("bcrypt", {"password": _BCRYPT[:-1]}),
        ("bcrypt", {"password": _BCRYPT + "\n"}),
        ("bcrypt", {"password": _HASHES["argon2id"][1]["password"]}),
        ("scrypt", _BY_SCRYPT | {"password": "not hex"}),
        ("scrypt", _BY_SCRYPT | {"passwordLength": 32}),
        ("scrypt", _BY_SCRYPT | {"passwordCpu": 7}),
        ("scrypt", _BY_SCRYPT | {"passwordCpu": 2**40}),
        ("scrypt", _BY_SCRYPT | {"passwordCpu": 0}),
        ("scrypt", _BY_SCRYPT | {"passwordCpu": -8}),
        ("scrypt", _BY_SCRYPT | {"passwordCpu": 10**30}),
        ("scrypt", _BY_SCRYPT | {"passwordMemory": 2**20}),
        ("scrypt", _BY_SCRYPT | {"passwordParallel": 0}),
        ("scrypt", _BY_SCRYPT | {"passwordParallel": 2**20}),
        ("scrypt", _BY_SCRYPT | {"passwordCpu": "8"}),
        ("scrypt", {"password": _SCRYPT}),
    ],
)
async def test_unfit_hashes(api: Api, pool: Pool, route: str, facts: dict[str, object]):
    """A malformed hash, or one that would cost a server too much to prove, is refused (S53)."""
    for modern in (True, False):
        answer = await _import(api, pool, route, facts, modern=modern)
        assert (answer.status, answer.data["type"]) == (400, "general_argument_invalid")
    assert not await pool.fetch("select * from users")


async def test_a_planted_hash_costs_nothing(api: Api, pool: Pool):
    """Whatever stands in the row, a login with it is an ordinary no and never a fault (S53)."""
    await api.sign_up()
    for line in (
        "", "x", "$2b$", "$2b$31$" + "a" * 53, "$scrypt$ln=40,r=8,p=1$c2FsdA$" + "A" * 43, "$argon2id$v=19$m=1",
        "$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$scrypt$ln=3,r=1,p=1$$" + "A" * 25,
    ):  # fmt: skip
        await pool.execute("update users set password_hash = $1", line)
        answer = await _login(api, _PASSWORD)
        assert (answer.status, answer.data["type"]) == (401, "user_invalid_credentials"), line


async def _somebody_waits(pool: Pool) -> None:
    """Until the login has proved the password and stands before the locked row."""
    async with asyncio.timeout(PATIENCE):
        while not await pool.fetch("select from pg_locks where not granted"):  # noqa: ASYNC110 - Postgres can't be awaited
            await asyncio.sleep(0.01)


async def test_two_first_logins_at_once(api: Api, pool: Pool):
    """A login that was proved against the old hash is right even if another one has just replaced it."""
    await _import(api, pool, *_HASHES["bcrypt"])
    async with transaction(pool) as tx:
        user = await users.lock(tx, "shop", user_id="ann")
        assert user
        login = asyncio.create_task(_login(api, _PASSWORD))
        await _somebody_waits(pool)
        anew = argon2.PasswordHasher(2, 19_456, 1).hash(_PASSWORD)
        await tx.execute("update users set password_hash = $1 where id = 'ann'", anew)
    assert (await login).status == 201


async def test_a_password_that_changed_meanwhile(api: Api, pool: Pool):
    """A login that was proved against a password which is gone by now is refused."""
    await _import(api, pool, *_HASHES["bcrypt"])
    async with transaction(pool) as tx:
        user = await users.lock(tx, "shop", user_id="ann")
        assert user
        login = asyncio.create_task(_login(api, _PASSWORD))
        await _somebody_waits(pool)
        line = argon2.PasswordHasher(2, 19_456, 1).hash("another horse")
        await user_passwords.change(tx, user, password_hash=line, kept=0)
    assert (await login).status == 401
