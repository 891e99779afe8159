"""The figures of outages, with numbers small enough for every day: what they promise must hold, timings are told."""

from figures import g04, g05
from figures.result import Row, table
from tests.faults.full import full


def told(name: str, rows: list[Row], count: int) -> list[str]:
    """What was missed."""
    print(table(name, rows, seed=1, count=count, seconds=0))  # noqa: T201 - a figure is there to be read
    return [row.what for row in rows if row.met is False]


@full
async def test_g04_no_mail_is_lost_while_the_relay_is_away():
    """All that is accepted without a relay goes out once, with one worker and with two."""
    assert told("G4", await g04.measure(6, 1), 6) == []


@full
async def test_g05_no_mail_is_lost_without_redis():
    """Nor is an account guessed at more often than twice its limit, or any request refused with 5xx."""
    assert told("G5", await g05.measure(6, 1), 6) == []
