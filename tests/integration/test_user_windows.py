"""Lists in windows: the same users in the same order as by one statement."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.db import Pool
from service.store import user_lists, user_windows
from service.store.user_lists import Page, SortColumn, UserFilter

_ORDERS: tuple[SortColumn, ...] = ("id", "created_at", "name", "email")


@pytest.fixture
async def twenty(pool: Pool, project, monkeypatch: pytest.MonkeyPatch) -> Pool:
    """Users of five moments and three names, a third of them verified; windows of three and four."""
    await pool.execute(
        "insert into users (project_id, id, email, name, email_verified, created_at)"
        " select 'shop', md5('u' || n)::varchar(20), md5('e' || n), 'name' || n % 3, n % 3 = 0,"
        " '2026-01-01Z'::timestamptz + interval '1 day' * (n / 4) from generate_series(1, 20) n"
    )
    for name, size in (("_WINDOW", 3), ("_WINDOW_BY_AGE", 4)):
        monkeypatch.setattr(user_windows, name, size)
    return pool


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("descending", [False, True])
async def test_windows_and_sorting_list_what_one_statement_lists(twenty: Pool, descending: bool, before: bool):
    """In each order and direction, from the beginning and behind each user, within a period too."""
    start, end = (datetime(2026, 1, day, tzinfo=UTC) for day in (2, 5))
    for wanted in (UserFilter(verified=True), UserFilter(verified=False, created_from=start, created_until=end)):
        for by in _ORDERS:
            page = Page(by=by, descending=descending, before=before, limit=3)
            for cursor in (None, *await user_lists.page(twenty, "shop", wanted=wanted, page=replace(page, limit=20))):
                here = replace(page, cursor=cursor)
                expected = await user_lists.page(twenty, "shop", wanted=wanted, page=here)
                assert await user_windows.page(twenty, "shop", wanted=wanted, page=here) == expected, here
                assert await user_lists.sorted_page(twenty, "shop", wanted=wanted, page=here) == expected, here


async def test_windows_count_all(twenty: Pool, monkeypatch: pytest.MonkeyPatch):
    """Up to the most, or up to what is expected where not all of them were counted."""
    verified = UserFilter(verified=True)
    period = replace(
        verified, created_from=datetime(2026, 1, 2, tzinfo=UTC), created_until=datetime(2026, 1, 5, tzinfo=UTC)
    )
    assert await user_windows.count(twenty, "shop", wanted=verified, most=5000, expected=99) == 6
    assert await user_windows.count(twenty, "shop", wanted=verified, most=4, expected=99) == 4
    assert await user_windows.count(twenty, "shop", wanted=period, most=5000, expected=99) == 4
    monkeypatch.setattr(user_windows, "_WINDOWS", 2)
    assert await user_windows.count(twenty, "shop", wanted=verified, most=5000, expected=99) == 99
