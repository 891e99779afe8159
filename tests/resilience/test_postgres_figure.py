"""The figure of Postgres's outages in short: what it counts is right, what it times is a matter of the machine."""

from bench.resilience import postgres_failover


async def test_g6_in_short():
    """Two restarts and a failover under load: no mail is lost, and the history breaks no invariant."""
    rows = await postgres_failover.measure(2, 1)
    print(*rows, sep="\n")  # noqa: T201 - timings are for reading
    assert [row for row in rows[-2:] if not row.met] == []
