"""Postgres writes down what it refuses, values and all: nobody's address may be among that."""

import asyncio
from pathlib import Path

import bcrypt
import pytest

from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.tokens import Kind
from testkit import api_keys
from testkit.api import Api
from testkit.proofs import WAYS, Post, use
from tests.conftest import Shared
from tests.security.test_private_sign_up import proof_of

pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("cheap")]
TAKEN, FREE, MINE = "taken@unlogged.example.com", "free@unlogged.example.com", "mine@unlogged.example.com"
_, VERIFICATION, _, MAGIC_URL, *_ = WAYS
_BCRYPT = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()


@pytest.fixture
def logged(shared_postgres: Shared) -> "Log":
    return Log(shared_postgres.log)


class Log:
    """Lines that the server has written since."""

    def __init__(self, path: Path) -> None:
        self._path, self._start = path, path.stat().st_size

    def read(self) -> str:
        with self._path.open("rb") as file:
            file.seek(self._start)
            return file.read().decode(errors="replace")


async def test_the_log_is_the_servers(pool: Pool, logged: Log):
    """Were an address refused by an index, it would be found here."""
    await projects.create(pool, "shop", name="Shop")
    row = "insert into users (project_id, id, email) values ('shop', $1, 'seen@unlogged.example.com')"
    await pool.execute(row, "one")
    with pytest.raises(Exception, match="unique"):
        await pool.execute(row, "two")
    assert "(shop, seen@unlogged.example.com)" in logged.read()


async def test_a_taken_address_is_not_written_down(api: Api, pool: Pool, settings: Settings, post: Post, logged: Log):
    """By every way to ask for one, one after the other and many at once."""
    await api.sign_up(TAKEN)
    await api.sign_up(MINE)
    member, server = await api.sign_in(MINE), await api_keys.key(pool)
    mine = (await pool.fetchrow("select id from users where email = $1", MINE))[0]
    body = {"email": TAKEN, "password": "correct horse"}
    asked = [
        ("POST", "/v1/account", body, {}),
        ("PATCH", "/v1/account/email", body, member),
        ("POST", "/v1/users", body | {"userId": "unique()"}, server),
        ("POST", "/v1/users/bcrypt", {"userId": "unique()", "email": TAKEN, "password": _BCRYPT}, server),
        ("PATCH", f"/v1/users/{mine}/email", body, server),
    ]
    for method, path, given, headers in asked:
        answer = await api.call(method, path, json=given, headers=headers)
        assert "exists" in answer.data["message"] or "registered" in answer.data["message"], (path, answer.data)
    taken_id = {"userId": mine, "email": FREE, "password": "correct horse"}
    assert (await api.call("POST", "/v1/account", json=taken_id)).status == 409
    at_once = [api.call("POST", "/v1/account", json=body | {"email": FREE}) for _ in range(10)]
    at_once += [api.call("PATCH", "/v1/account/email", json=body | {"email": FREE}, headers=member) for _ in range(5)]
    proofs = [await post.issue(Kind.MAGIC_URL, "free", email=FREE) for _ in range(5)]
    await asyncio.gather(*at_once, *(use(api, MAGIC_URL, proof) for proof in proofs))
    assert "unlogged" not in logged.read()


async def test_a_private_sign_up_of_a_taken_address_is_not_written_down(
    api: Api, pool: Pool, settings: Settings, logged: Log
):
    """A sign-up link for an address that is taken by then leaves no address in the server's log."""
    await projects.change(pool, "shop", private_signup=True)
    await api.sign_up(TAKEN)
    proof = await proof_of(pool, settings, TAKEN)
    await pool.execute("insert into users (project_id, id, email) values ('shop', 'ann', $1)", TAKEN)
    assert (await use(api, VERIFICATION, proof)).status == 401
    assert "unlogged" not in logged.read()
