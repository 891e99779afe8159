"""Order of refusals where several apply to a call (docs/contract.md#order-of-checks)."""

from typing import Any

import pytest

from service.db import Pool
from service.store import projects
from testkit.api import Api

FOREIGN = {"Origin": "https://evil.test"}
BAD_JWT = {"X-Appwrite-JWT": "a.b.c"}
NOBODY = {"X-Appwrite-Project": "nobody"}


async def _types(api: Api, path: str, *, modern: bool, **kwargs: Any) -> tuple[int, str]:
    answer = await api.call("POST", path, modern=modern, json={}, **kwargs)
    return answer.status, answer.data["type"]


@pytest.mark.parametrize(
    ("modern", "first"), [(False, (400, "project_not_found")), (True, (403, "general_unknown_origin"))]
)
async def test_project_or_origin(api: Api, modern: bool, first: tuple[int, str]):
    """Legacy asks for the project before the origin, modern the other way round."""
    assert await _types(api, "/v1/account", modern=modern, headers=FOREIGN | NOBODY) == first


@pytest.mark.parametrize(
    ("modern", "first"), [(False, (401, "user_jwt_invalid")), (True, (403, "general_unknown_origin"))]
)
async def test_jwt_or_origin(api: Api, modern: bool, first: tuple[int, str]):
    """Legacy refuses a bad JWT before anything else that a known project is asked."""
    assert await _types(api, "/v1/account", modern=modern, headers=FOREIGN | BAD_JWT) == first


@pytest.mark.parametrize("modern", [False, True])
async def test_origin_then_scope(api: Api, modern: bool):
    """A client of a refused origin does not learn whether signing in would help."""
    assert await _types(api, "/v1/account/verification", modern=modern, headers=FOREIGN) == (
        403, "general_unknown_origin",
    )  # fmt: skip
    assert await _types(api, "/v1/account/verification", modern=modern) == (401, "general_unauthorized_scope")


@pytest.mark.parametrize("modern", [False, True])
async def test_scope_then_block_then_limit_then_parameters(api: Api, pool: Pool, modern: bool):
    """A guest's calls count nowhere; a member's malformed ones count; a blocked one learns of the block first."""
    await api.sign_up()
    member = await api.sign_in()
    path = "/v1/account/verification"
    for _ in range(12):
        assert (await _types(api, path, modern=modern))[0] == 401
    for _ in range(10):
        assert await _types(api, path, modern=modern, headers=member) == (400, "general_argument_invalid")
    assert await _types(api, path, modern=modern, headers=member) == (429, "general_rate_limit_exceeded")
    await pool.execute("update users set status = 'blocked'")
    assert await _types(api, path, modern=modern, headers=member) == (403 if modern else 401, "user_blocked")


async def test_limit_then_open_session_then_parameters(api: Api, pool: Pool):
    """Modern: who is signed in already is told so before the parameters are looked at, and after the limit."""
    await projects.set_limit(pool, "shop", rule="create_session.ip", numbers=[10, 3600])
    await api.sign_up()
    member = await api.sign_in()
    path = "/v1/account/sessions/email"
    for _ in range(10):
        assert await _types(api, path, modern=True, headers=member) == (401, "user_session_already_exists")
    assert await _types(api, path, modern=True, headers=member) == (429, "general_rate_limit_exceeded")
