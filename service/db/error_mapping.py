"""Classification of errors of Postgres and of the network to it, in this one place.

The network's own errors are OSErrors, and so are those of clients, Redis, a relay or a disk. So every error that leaves
this package has a class of its own: no other peer's fault is ever taken for Postgres's.
"""

from enum import Enum, auto

import asyncpg
from asyncpg import exceptions

from service import failpoints
from service.errors import Overloaded

ForeignKeyViolation = asyncpg.ForeignKeyViolationError
TooManyConnections = asyncpg.TooManyConnectionsError


class DatabaseFault(Enum):
    """Reason why Postgres did not run a statement; each is answered by 503 and Retry-After."""

    LOST = auto()  # the connection is gone or hangs, or there is none to be had
    READ_ONLY = auto()  # not the primary (any more)
    CLASH = auto()  # two transactions, or a transaction and a migration, got in each other's way
    FULL = auto()  # of connections, memory or disk
    LATE = auto()  # a lock or a statement took too long
    REFUSED = auto()  # this role, its password, this database, or how a pooler is set up
    SCHEMA = auto()  # not migrated as far as this code needs


# By sqlstate; the longest prefix that fits wins. A request's statement adds no row that it can see to be there: a row
# that stands in its way, 23505, has just been added, and the next run sees it. 25P03 and 25P04 close the connection of
# a transaction that idles.
_STATES = (
    ("08", DatabaseFault.LOST),
    ("23505", DatabaseFault.CLASH),
    ("26000", DatabaseFault.REFUSED),  # a pooler that mixes prepared statements up, as 42P05
    ("28", DatabaseFault.REFUSED),
    ("3D000", DatabaseFault.REFUSED),
    ("3F000", DatabaseFault.SCHEMA),
    ("42501", DatabaseFault.REFUSED),
    ("42703", DatabaseFault.SCHEMA),
    ("42883", DatabaseFault.SCHEMA),
    ("42P01", DatabaseFault.SCHEMA),
    ("42P05", DatabaseFault.REFUSED),
    ("25006", DatabaseFault.READ_ONLY),
    ("25P03", DatabaseFault.LOST),
    ("25P04", DatabaseFault.LOST),
    ("40001", DatabaseFault.CLASH),
    ("40P01", DatabaseFault.CLASH),
    ("53", DatabaseFault.FULL),
    ("55P03", DatabaseFault.LATE),
    ("57014", DatabaseFault.LATE),
    ("57P", DatabaseFault.LOST),
)


# These last until an operator or a failover ends them; the others concern one statement.
OUTAGES = frozenset(
    {DatabaseFault.LOST, DatabaseFault.READ_ONLY, DatabaseFault.FULL, DatabaseFault.REFUSED, DatabaseFault.SCHEMA}
)


class PostgresGone(ConnectionError):
    """The connection to Postgres was lost, or there is none to be had."""


class PostgresHung(TimeoutError):
    """Postgres, or the way to it, gave no answer in time."""


class OutcomeUnknown(Exception):
    """The connection was lost while something was being written: it may have been done or not.

    Every other error, out of a transaction or of a single statement of the pool, means that nothing was done.
    """


def classify(error: BaseException) -> DatabaseFault | None:
    """Classify an error; None if it is neither Postgres's nor the network's."""
    if isinstance(error, OutcomeUnknown):
        return DatabaseFault.LOST
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        return DatabaseFault.CLASH
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return next((fault for start, fault in _STATES if state.startswith(start)), None)
    if isinstance(error, exceptions.TargetServerAttributeNotMatched):
        return DatabaseFault.READ_ONLY
    # The last is the library's message for an unexpected answer, such as a server sends that is shutting down.
    lost = PostgresGone | PostgresHung | asyncpg.InterfaceError | asyncpg.InternalClientError
    return DatabaseFault.LOST if isinstance(error, lost) else None


def from_os_error(error: OSError) -> PostgresGone | PostgresHung:
    """Make the error to raise in place of one of the socket to Postgres."""
    return PostgresHung(*error.args) if isinstance(error, TimeoutError) else PostgresGone(*error.args)


async def reach(failpoint: str) -> None:
    """Reach a failpoint that stands for the network to Postgres."""
    try:
        await failpoints.reach(failpoint)
    except ConnectionResetError as error:
        raise from_os_error(error) from error


def is_rolled_back(error: BaseException) -> bool:
    """Tell whether the work that raised this certainly left nothing behind in its transaction."""
    return not isinstance(error, OutcomeUnknown)


def find_fault(error: BaseException) -> Overloaded | None:
    """Return the 503 for a fault of Postgres or the network; None for a fault of this service."""
    if isinstance(error, Overloaded):
        return error
    return Overloaded(retry_after=1) if classify(error) else None


def is_about_values(error: BaseException) -> bool:
    """Tell whether a column or its constraint can't hold the given value."""
    state = error.sqlstate or "" if isinstance(error, asyncpg.PostgresError) else ""
    return state.startswith(("22", "23")) or isinstance(error, asyncpg.DataError)


def describe_refusal(error: BaseException) -> str | None:
    """Describe Postgres's refusal in one line for an operator; None for any other error."""
    cause = error.__cause__ if isinstance(error, OutcomeUnknown) else error
    if isinstance(cause, asyncpg.PostgresError | asyncpg.InterfaceError):
        return str(cause).partition("\n")[0]
    return None
