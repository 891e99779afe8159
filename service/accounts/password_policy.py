"""Password policy: the one check of every password to set, by any route, and its hash (docs/security.md S48 to S52)."""

from collections.abc import Callable, Iterable
from pathlib import Path

from service.crypto import breached_passwords
from service.crypto.password_hashing import PasswordHashPool
from service.db import Executor
from service.errors import PasswordPersonal, PasswordReused
from service.http.request_body import BodyContext, unfit_parameter
from service.settings import Settings
from service.store import user_passwords
from service.store.users import User

# Shorter words of a name or an address occur in many a good password.
_WORD = 4
# A password may have so many characters more than the project's name, and still counts as it.
_MORE = 4


async def hash_new_password(
    asker: BodyContext,
    passwords: PasswordHashPool,
    text: str,
    *,
    about: Iterable[str | None],
    earlier: Iterable[str] = (),
) -> str:
    """Hash a password whose length has been checked (fields.py).

    `about` are the user's id, name and address, `earlier` hashes of what it must not be again. Raises ArgumentInvalid
    for a common one, PasswordPersonal, PasswordReused, and Overloaded.
    """
    project = asker.project
    is_known = breached_passwords.is_common(text) or _is_name(text, project.name)
    if project.password_blocklist and (is_known or await passwords.is_breached(text)):
        fault = "Password should not be one of the commonly used or breached passwords"
        raise unfit_parameter(asker, "password", fault)
    if project.password_personal_data and _is_personal(text, about):
        raise PasswordPersonal
    for line in earlier:
        if await passwords.verify(line, text):
            raise PasswordReused
    return await passwords.hash(text)


def breached(settings: Settings) -> Callable[[str], bool] | None:
    """Open the operator's file of breached passwords, if there is one. Raises ValueError for a bad file."""
    return (
        breached_passwords.BreachedPasswords(Path(settings.password_ranges)).contain
        if settings.password_ranges
        else None
    )


async def previous_hashes(asker: BodyContext, conn: Executor, user: User) -> list[str]:
    """Return hashes of as many of the user's last passwords as the project asks for, the present one first."""
    return await user_passwords.list_last(conn, user, most=asker.project.password_history)


def personal_words(user: User) -> tuple[str | None, ...]:
    return (user.id, user.name, user.email)


def _is_name(text: str, name: str) -> bool:
    """Detect the project's name and little else: what users of a service think of first (ASVS 6.2.11)."""
    word, password = "".join(name.casefold().split()), "".join(text.casefold().split())
    return len(word) >= _WORD and word in password and len(password) - len(word) <= _MORE


def _is_personal(text: str, about: Iterable[str | None]) -> bool:
    """Detect the user's id, name, address, or the address's part before the @, in the password."""
    password = text.casefold()
    words = {word for given in about if given for word in (given.casefold(), given.casefold().partition("@")[0])}
    return any(word == password or (len(word) >= _WORD and word in password) for word in words)
