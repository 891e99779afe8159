"""What an error of Postgres means for who asked."""

import asyncpg

from service.errors import Overloaded

UniqueViolation = asyncpg.UniqueViolationError


def diagnose(error: BaseException) -> Overloaded | None:
    """The answer for an error that is Postgres's or the way's to it; None if it is a fault of ours."""
    if isinstance(error, Overloaded):
        return error
    if isinstance(error, asyncpg.PostgresError):
        transient = ("08", "25006", "40001", "40P01", "53", "55P03", "57")
        return Overloaded(retry_after=1) if (error.sqlstate or "").startswith(transient) else None
    if isinstance(error, OSError | asyncpg.InterfaceError):
        return Overloaded(retry_after=1)
    return None


def refusal(error: BaseException) -> str | None:
    """What Postgres said no to, in one line for an operator; None for an error that is not Postgres's."""
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return str(error).partition("\n")[0]
    return None
