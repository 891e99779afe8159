"""How a command fails: an exit code for programs, and words for people."""

import errno

from service import db, migrations
from service.cli.verbs import NoSuchThing, WrongWords
from service.errors import AccountError, ArgumentInvalid, EmailExists, SessionNotFound, UserExists, UserNotFound
from service.projects import ProjectExists
from service.settings import Unfit

WRONG, EXISTS, MISSING, UNFIT, AWAY, UNWELL = 2, 3, 4, 5, 6, 7
# A port of somebody else's, one below 1024, an address that is not this machine's.
_TAKEN = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL})
# The first that fits.
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((Unfit,), UNFIT),
    ((ArgumentInvalid, WrongWords), WRONG),
    ((ProjectExists, UserExists, EmailExists), EXISTS),
    ((NoSuchThing, UserNotFound, SessionNotFound), MISSING),
    ((TimeoutError, migrations.Drift, AccountError, OSError), AWAY),
)


def code_of(error: Exception) -> int:
    """0 for a fault of ours."""
    known = next((code for kinds, code in _CODES if isinstance(error, kinds)), 0)
    return known or (AWAY if db.refusal(error) else 0)


def words_for(error: Exception, code: int) -> str:
    """What goes to standard error with that exit code."""
    if isinstance(error, Unfit):
        return "\n  ".join(["the settings are unfit:", *error.faults])
    if isinstance(error, OSError) and error.errno in _TAKEN and error.filename is None:
        return f"can't listen: {error.strerror}"
    if code == AWAY:
        return f"the database: {db.refusal(error) or error or type(error).__name__}"
    return str(error) or type(error).__doc__ or ""
