"""A mailed secret that several use at once (S13; the figure G8 in short)."""

from bench.resilience import token_race
from service.db import Pool
from service.settings import Settings
from service.store.projects import Project
from testkit import processes


async def test_s13_of_ten_at_once_exactly_one_gets_in(
    environment: dict[str, str], pool: Pool, project: Project, settings: Settings
):
    """On each route, over two processes: one winner, one event, one password or session, nothing left over."""
    environment |= {"LIMITS": "off"}
    async with processes.api(environment) as (_, first), processes.api(environment) as (_, second):
        faults = await token_race.races((first, second), pool, settings, count=4 * len(token_race.WAYS), beside=1)
    assert faults == {way.name: 0 for way in token_race.WAYS}
