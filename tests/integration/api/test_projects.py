"""Projects whose ids differ in capitals only: cookies could not tell them apart."""

import asyncio

import pytest

from service.db import Pool
from service.store import projects
from service.store.projects import ProjectExists
from testkit.api import Api, cookie_of

LOGIN = {"email": "ann@example.com", "password": "correct horse"}


@pytest.mark.parametrize("project_id", ["shop", "Shop", "SHOP", "sHoP"])
async def test_an_id_is_taken_in_all_capitals(pool: Pool, project: projects.Project, project_id: str):
    """An id that differs in capitals only is the same id: 409, and nothing is changed."""
    with pytest.raises(ProjectExists) as refused:
        await projects.create(pool, project_id, name="Other")
    assert refused.value.render(legacy=False)[0] == 409
    assert [(found.id, found.name) for found in await projects.list_all(pool)] == [("shop", "Shop")]


async def test_of_ten_at_once_one_is_made(pool: Pool):
    """Nobody slips in between the look and the act."""
    spellings = ["blog", "Blog", "bLog", "blOg", "bloG", "BLog", "BlOg", "BloG", "bLOg", "BLOG"]
    made = await asyncio.gather(*(projects.create(pool, each, name=each) for each in spellings), return_exceptions=True)
    assert [type(each) for each in made if each is not None] == [ProjectExists] * 9
    assert len(await projects.list_all(pool)) == 1


async def test_a_pair_from_before_opens_nothing_of_each_other(api: Api, pool: Pool):
    """Two that were made before share a cookie's name: the session of one is none in the other."""
    await pool.execute("insert into projects (id, name) values ('SHOP', 'Other')")
    assert [{*each.ids} for each in await projects.alike(pool)] == [{"SHOP", "shop"}]
    await api.sign_up()
    cookie = cookie_of(await api.call("POST", "/v1/account/sessions", json=LOGIN))
    assert (await api.call("GET", "/v1/account", headers={"Cookie": cookie})).status == 200
    other = {"Cookie": cookie, "X-Appwrite-Project": "SHOP"}
    assert (await api.call("GET", "/v1/account", headers=other)).status == 401
