"""Failures of a command: an exit code for programs, and a message for people."""

from typing import TypeGuard

from service import db, endpoints, outages
from service.cli import program
from service.cli.commands import AlreadyExists, NotFound, UsageError
from service.cli.mails.output import REFUSED
from service.errors import (
    AccountError,
    ArgumentInvalid,
    AuthenticatorNotFound,
    EmailExists,
    OwnTarget,
    PasskeyNotFound,
    QueryInvalid,
    SessionNotFound,
    TargetNotFound,
    UserExists,
    UserNotFound,
)
from service.settings import DatastoreSettings, InvalidSettings
from service.store import migrations
from service.store.dkim_keys import SelectorTaken
from service.store.projects import ProjectExists

WRONG, EXISTS, MISSING, UNFIT, AWAY, UNWELL = 2, 3, 4, 5, 6, 7
# Of a command that was done in part.
PARTLY = {"wrong": WRONG, "exists": EXISTS, "refused": REFUSED, "missing": MISSING}
# The first that fits.
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((InvalidSettings,), UNFIT),
    ((ArgumentInvalid, QueryInvalid, UsageError, OwnTarget), WRONG),
    ((AlreadyExists, ProjectExists, UserExists, EmailExists, SelectorTaken), EXISTS),
    ((NotFound, UserNotFound, SessionNotFound, AuthenticatorNotFound, PasskeyNotFound, TargetNotFound), MISSING),
    ((TimeoutError, migrations.MigrationDrift, migrations.Busy, AccountError, OSError), AWAY),
)


def code_of(error: Exception) -> int:
    """Return the code for an error; 0 for a fault of this program, or of its output, which program.run tells."""
    if program.is_of_output(error):
        return 0
    if _is_of_file(error):
        return WRONG
    known = next((code for kinds, code in _CODES if isinstance(error, kinds)), 0)
    if known or db.is_about_values(error):
        return known or WRONG
    return AWAY if db.classify(error) or db.describe_refusal(error) else 0


def describe(error: Exception, code: int, settings: DatastoreSettings | None = None) -> str:
    """Describe an error for standard error; the settings name the server that it is about."""
    if isinstance(error, InvalidSettings):
        return "\n  ".join(["the settings are unfit:", *error.faults])
    if _is_of_file(error):
        return f"{error.filename}: {error.strerror}"
    if code == AWAY and settings and not isinstance(error, outages.ServerUnavailable):
        url = settings.database_url.get_secret_value()
        if isinstance(error, migrations.MigrationDrift | migrations.Busy | AccountError):
            return f"postgres at {endpoints.address(url, 5432)}: {error or type(error).__doc__}"
        return db.explain(error, url)
    return db.describe_refusal(error) or str(error) or type(error).__doc__ or ""


def _is_of_file(error: Exception) -> TypeGuard[OSError]:
    """Tell a fault of a file that a command was given: it names the file, and those of connections name none."""
    return isinstance(error, OSError) and error.filename is not None
