"""Log lines of a peer that falls and comes back, and the name that they give it."""

import errno
import socket
import ssl

import pytest
from redis import exceptions
from redis._parsers.base import BaseParser

from service import outages, redis_errors
from service.endpoints import address, is_readable
from service.outages import Outage, describe_network_error


@pytest.fixture
def outage() -> Outage:
    return Outage("one:1", "peer", fell="it is away", back="it is back")


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.event for record in caplog.records]


def test_a_fall_is_one_line_and_the_recovery_is_one(outage: Outage, caplog: pytest.LogCaptureFixture):
    """However often it is tried meanwhile; both lines have one level and name the server."""
    for _ in range(1000):
        outage.record_failure("refuses connections")
    outage.record_success(sure=True)
    outage.record_success(sure=True)
    assert told(caplog) == ["peer.unavailable", "peer.available"]
    assert [record.getMessage() for record in caplog.records] == ["it is away", "it is back"]
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert {record.server for record in caplog.records} == {"one:1"}
    assert (caplog.records[0].fault, caplog.records[1].failures) == ("refuses connections", 1000)


def test_it_is_told_again_when_it_falls_again(outage: Outage, caplog: pytest.LogCaptureFixture):
    """A second fall is not the first one's repetition."""
    for _ in range(2):
        outage.record_failure("refuses connections")
        outage.record_success(sure=True)
    assert told(caplog) == ["peer.unavailable", "peer.available"] * 2


def test_another_fault_of_the_same_outage_is_told(outage: Outage, caplog: pytest.LogCaptureFixture):
    """It runs again and is not migrated: that is news. Which table is missing is none."""
    for fault in ("refuses connections", "has no schema (no table a): migrate", "has no schema (no table b): migrate"):
        outage.record_failure(fault)
    assert [record.fault for record in caplog.records] == ["refuses connections", "has no schema (no table a): migrate"]


def test_what_works_between_two_failures_is_no_recovery(outage: Outage, caplog: pytest.LogCaptureFixture):
    """A server that answers every other time would fill the log."""
    for _ in range(100):
        outage.record_failure("gives no answer in time")
        outage.record_success()
    assert told(caplog) == ["peer.unavailable"]


def test_a_long_outage_is_told_again_each_minute(outage: Outage, caplog: pytest.LogCaptureFixture):
    """Whoever looks at the log now sees that it lasts."""
    outage.record_failure("refuses connections")
    outage._logged_at -= outages._REPEAT
    outage.record_failure("refuses connections")
    outage.record_failure("refuses connections")
    assert told(caplog) == ["peer.unavailable"] * 2
    assert caplog.records[-1].failures == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://u:p@db.example.com/x", "db.example.com:5432"),
        ("postgres://u:p@db.example.com:6432/x?sslmode=require", "db.example.com:6432"),
        ("postgres://u:p@one,two:6432/x", "one:5432,two:6432"),
        ("postgres://u:p@[::1]:6432/x", "[::1]:6432"),
        ("postgres://u:p@[::1]/x", "[::1]:5432"),
        ("postgres:///x?host=/run/postgresql", "its local socket"),
        ("postgres://u@/x", "its local socket"),
        ("redis://:p%40w@cache:6380/0", "cache:6380"),
        ("unix:///run/redis.sock?db=1", "/run/redis.sock"),
    ],
)
def test_a_peer_is_named_by_host_and_port(url: str, shown: str):
    """Each host of a list, brackets around IPv6, the path of a socket; no user and no password."""
    assert is_readable(url)
    assert address(url, 5432) == shown


@pytest.mark.parametrize(
    "url",
    ["postgres://u:hid/den@db/x", "postgres://u:hid#den@db/x", "postgres://u:hid?den@db/x", "postgres://u:hid@den@db/x",
     "postgres://u:12/den@db/x", "postgres://u:p@db:port/x", "postgres://u:p@db:70000/x", "postgres://u:p@db:0/x",
     "redis://:hid/den@cache:6379/0", "postgres://u:p@a b/x"],
)  # fmt: skip
def test_a_password_that_is_not_encoded_is_not_shown(url: str):
    """A piece of it would be taken for the host."""
    assert not is_readable(url) or address(url, 1).startswith(("db", "cache"))
    assert "hid" not in address(url, 1)
    assert "den" not in address(url, 1)
    assert "12" not in address(url, 1)


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refuses connections"),
        (OSError(errno.EHOSTUNREACH, "x"), "can't be reached"),
        (socket.gaierror(-2, "x"), "has a host name that can't be resolved: mend X_URL"),
        (TimeoutError(), "gives no answer in time"),
        (FileNotFoundError(errno.ENOENT, "x"), "has no socket"),
        (ssl.SSLError("x"), "does not speak TLS"),
        (ValueError("x"), ""),
    ],
)
def test_errors_of_the_way_have_words(error: Exception, start: str):
    """Words for an error of the connection that an operator can look for; empty for any other."""
    assert describe_network_error(error, "X_URL").startswith(start)
    assert bool(describe_network_error(error, "X_URL")) is bool(start)


@pytest.mark.parametrize(
    "said",
    ["Connection closed by server.", "Error while reading from cache:6379 : (104, 'Connection reset by peer')",
     "Error UNKNOWN while writing to socket. Connection lost."],
)  # fmt: skip
def test_a_redis_that_stops_breaks_connections_off(said: str):
    """The first that is seen of it, in redis-py's words: no class of an exception is an operator's to read."""
    assert redis_errors.fault(exceptions.ConnectionError(said)) == "breaks connections off"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "has no memory left: raise its maxmemory"),
        ("NOPERM User app has no permissions to run the 'set' command", "does not let this user do that (its ACL)"),
        ("NOPERM No permissions to access a key", "does not let this user do that (its ACL)"),
        ("READONLY You can't write against a read only replica.", "may only be read: it is a replica"),
        ("LOADING Valkey is loading the dataset in memory", "is starting up"),
        ("MISCONF Valkey is configured to save RDB snapshots", "can't save to its disk, and so takes no writes"),
    ],
)
def test_answers_of_redis_have_words(answer: str, says: str):
    """Answers of Redis and Valkey, as redis-py hands them on: without the first word where it has a class for it."""
    assert redis_errors.fault(BaseParser.parse_error(answer)) == says


def test_a_peer_that_is_no_redis():
    """A peer that doesn't speak Redis's protocol is said to, with the setting to mend."""
    said = exceptions.InvalidResponse("Protocol Error: b'HTTP/1.1'")
    assert redis_errors.fault(said) == "speaks another protocol: mend REDIS_URL"


def test_redis_own_words_are_not_repeated():
    """Redis's own error text is not repeated: it may hold the name of a key."""
    assert redis_errors.fault(ValueError("rl:secret")) == "can't be asked (ValueError)"
