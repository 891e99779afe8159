"""Explanations of database errors for operators: which server, the fault, the remedy."""

import asyncpg
from asyncpg import exceptions

from service import endpoints, outages
from service.db.error_mapping import OutcomeUnknown

_MIGRATE = "has not the schema that this code needs ({}): run `python -m service migrate`"
_POOLED = "is behind a pooler that mixes prepared statements up ({}): docs/operations.md#pgbouncer"
# By sqlstate, the longest that fits first in line; Postgres's own message stands in the brackets.
_STATES = (
    ("28P01", "refuses the password ({}): mend DATABASE_URL"),
    ("28", "does not let this role in ({}): mend DATABASE_URL or its pg_hba.conf"),
    ("3D000", "has no such database ({}): make it, or mend DATABASE_URL"),
    ("3F000", _MIGRATE),
    ("26000", _POOLED),
    ("42P05", _POOLED),
    ("42P01", _MIGRATE),
    ("42703", _MIGRATE),
    ("42883", _MIGRATE),
    ("42501", "does not let this role do that ({}): docs/operations.md has the grants"),
    ("08P01", "or the pooler before it says: {} (docs/operations.md#pgbouncer)"),
    ("25006", "may only be read: it is a standby, or was made read-only"),
    ("53300", "has no connection left ({}): raise max_connections, or lower DATABASE_CONNECTIONS"),
    ("53100", "has a full disk ({})"),
    ("53200", "has no memory left ({})"),
    ("55P03", "could not give a lock in time ({})"),
    ("57014", "did not get done in time ({})"),
    ("57P03", "does not take connections now ({})"),
    ("57P", "shuts down ({})"),
)


def explain(error: BaseException, url: str) -> str:
    """Explain in one line, with the address and without the password."""
    return f"postgres at {endpoints.address(url, 5432)} {fault(error)}"


def fault(error: BaseException) -> str:
    """Explain as `explain` does, without the address."""
    cause = error.__cause__ if isinstance(error, OutcomeUnknown) and error.__cause__ else error
    if isinstance(cause, exceptions.TargetServerAttributeNotMatched):
        return "may only be read: it is a standby, or was made read-only"
    message = str(cause).partition("\n")[0]
    if isinstance(cause, asyncpg.PostgresError):
        state = cause.sqlstate or ""
        return next((words.format(message) for start, words in _STATES if state.startswith(start)), f"says: {message}")
    if words := outages.describe_network_error(cause, "DATABASE_URL"):
        return words
    if isinstance(cause, asyncpg.InterfaceError):
        return f"can't be asked: {message}"
    return f"can't be asked ({type(cause).__name__})"
