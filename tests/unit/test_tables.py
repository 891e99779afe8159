"""Answers of commands as people see them."""

from datetime import UTC, datetime, timedelta, timezone

from service.cli import arguments
from service.cli.tables import Listing, lines, plain


def test_rows_are_a_table_of_their_columns():
    """Heads, then a line a row; what is not named is for programs."""
    rows = [{"id": "ann", "email": None, "secret": "x"}, {"id": "bob.b", "email": "b@example.com", "secret": "y"}]
    assert lines(Listing(rows, ("id", "email"))) == ["ID     EMAIL", "ann    -", "bob.b  b@example.com"]
    assert lines(Listing([], ("created_at",))) == ["CREATED AT"]


def test_one_object_is_a_line_a_fact():
    """In the order of its fields."""
    assert lines({"id": "shop", "hosts": ["a.b", "c.d"]}) == ["id: shop", "hosts: a.b, c.d"]


def test_times_are_written_as_they_are_typed():
    """In the largest unit that leaves no rest, so that it can be given to `projects set` again."""
    times = {31_536_000: "365d", 604_800: "7d", 5400: "90m", 3600: "1h", 600: "10m", 90: "90s", 100_000: "100000s"}
    for seconds, written in times.items():
        assert lines({"otp_seconds": seconds}) == [f"otp_seconds: {written}"]
        assert arguments.lifetime(written) == seconds


def test_values():
    """Times in UTC, words for truth, a dash for nothing, and no character that moves a cursor."""
    moment = datetime(2026, 1, 2, 4, 5, 6, tzinfo=timezone(timedelta(hours=1)))
    assert plain(moment) == plain(moment.astimezone(UTC)) == "2026-01-02 03:05:06Z"
    assert [plain(value) for value in (True, False, None, "", [], {}, 0)] == ["yes", "no", "-", "-", "-", "-", "0"]
    assert plain({"a.b": [5, 60]}) == "a.b 5, 60"
    assert plain({"taken": ["a", "b"], "no name": ["c"]}) == "taken a, b; no name c"
    assert plain("a\x1b[2Jb\u202ec\n") == "a [2Jb c "
