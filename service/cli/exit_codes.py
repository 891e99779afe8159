"""How a command fails: an exit code for programs, and words for people."""

from service import db, endpoints, outages
from service.cli.commands import NoSuchThing, WrongWords
from service.errors import AccountError, ArgumentInvalid, EmailExists, SessionNotFound, UserExists, UserNotFound
from service.settings import Stores, Unfit
from service.store import migrations
from service.store.projects import ProjectExists

WRONG, EXISTS, MISSING, UNFIT, AWAY, UNWELL = 2, 3, 4, 5, 6, 7
# The first that fits.
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((Unfit,), UNFIT),
    ((ArgumentInvalid, WrongWords), WRONG),
    ((ProjectExists, UserExists, EmailExists), EXISTS),
    ((NoSuchThing, UserNotFound, SessionNotFound), MISSING),
    ((TimeoutError, migrations.Drift, migrations.Busy, AccountError, OSError), AWAY),
)


def code_of(error: Exception) -> int:
    """0 for a fault of ours."""
    known = next((code for kinds, code in _CODES if isinstance(error, kinds)), 0)
    if known or db.is_about_values(error):
        return known or WRONG
    return AWAY if db.fault_of(error) or db.refusal(error) else 0


def words_for(error: Exception, code: int, settings: Stores | None = None) -> str:
    """What goes to standard error with that exit code; the settings say which server it is about."""
    if isinstance(error, Unfit):
        return "\n  ".join(["the settings are unfit:", *error.faults])
    if code == AWAY and settings and not isinstance(error, outages.Away):
        url = settings.database_url.get_secret_value()
        if isinstance(error, migrations.Drift | migrations.Busy | AccountError):
            return f"postgres at {endpoints.address(url, 5432)}: {error or type(error).__doc__}"
        return db.explain(error, url)
    return db.refusal(error) or str(error) or type(error).__doc__ or ""
