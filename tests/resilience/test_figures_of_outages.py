"""The figures of outages, with numbers small enough for every day: what they promise must hold, timings are told."""

from bench.resilience import redis_outage, relay_outage
from bench.resilience.result import Row, table
from testkit.full import full


def told(name: str, rows: list[Row], count: int) -> list[str]:
    """The goals that were missed."""
    print(table(name, rows, seed=1, count=count, seconds=0))  # noqa: T201 - a figure is there to be read
    return [row.what for row in rows if row.met is False]


@full
async def test_g04_no_mail_is_lost_while_the_relay_is_away():
    """All that is accepted without a relay goes out once, with one worker and with two."""
    assert told("G4", await relay_outage.measure(6, 1), 6) == []


@full
async def test_g05_no_mail_is_lost_without_redis():
    """Nor is an account guessed at more often than twice its limit, or any request refused with 5xx."""
    assert told("G5", await redis_outage.measure(6, 1), 6) == []
